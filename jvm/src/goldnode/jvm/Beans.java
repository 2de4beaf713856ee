package goldnode.jvm;

import java.lang.management.ManagementFactory;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import javax.management.JMException;
import javax.management.MBeanServer;
import javax.management.ObjectInstance;
import javax.management.ObjectName;

/** The JVM's bean server as one node sees it: the same one, but what the node registers is remembered. */
final class Beans implements InvocationHandler {
    private final MBeanServer platform = ManagementFactory.getPlatformMBeanServer();
    private final Set<ObjectName> registered = ConcurrentHashMap.newKeySet();

    /** The server to hand to the node. */
    MBeanServer view() {
        return (MBeanServer) Proxy.newProxyInstance(
                Beans.class.getClassLoader(), new Class<?>[] {MBeanServer.class}, this);
    }

    /** Takes out what the node registered and left, and names it. */
    List<String> removeLeft() {
        return registered.stream().filter(this::remove).map(name -> "bean " + name).toList();
    }

    private boolean remove(ObjectName name) {
        try {
            platform.unregisterMBean(name);
            return true;
        } catch (JMException gone) {
            return false; // the node took it out itself
        }
    }

    @Override
    public Object invoke(Object proxy, Method method, Object[] arguments) throws Throwable {
        try {
            Object result = method.invoke(platform, arguments);
            if (result instanceof ObjectInstance bean && method.getName().matches("registerMBean|createMBean")) {
                registered.add(bean.getObjectName());
            }
            return result;
        } catch (InvocationTargetException error) {
            throw error.getCause();
        }
    }
}
