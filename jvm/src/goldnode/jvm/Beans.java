package goldnode.jvm;

import java.lang.management.ManagementFactory;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import javax.management.JMException;
import javax.management.MBeanServer;
import javax.management.MBeanServerFactory;
import javax.management.ObjectName;

/** The bean server as one node sees it: the JVM's own beans, and those of the node, which no sibling sees. */
final class Beans implements InvocationHandler {
    private final MBeanServer platform = ManagementFactory.getPlatformMBeanServer();
    private final MBeanServer own = MBeanServerFactory.newMBeanServer();

    /** The server to hand to the node. */
    MBeanServer view() {
        return (MBeanServer) Proxy.newProxyInstance(
                Beans.class.getClassLoader(), new Class<?>[] {MBeanServer.class}, this);
    }

    /** The node's own beans alone. */
    MBeanServer own() {
        return own;
    }

    /** Takes out what the node registered and left, and names it. */
    List<String> removeLeft() {
        return own.queryNames(null, null).stream().filter(this::remove).map(name -> "bean " + name).sorted().toList();
    }

    private boolean remove(ObjectName name) {
        try {
            own.unregisterMBean(name);
            return true;
        } catch (JMException | RuntimeException refused) {
            return false; // the server's own, or one that the node takes out at this moment
        }
    }

    @Override
    public Object invoke(Object proxy, Method method, Object[] arguments) throws Throwable {
        try {
            return switch (method.getName()) {
                case "queryNames", "queryMBeans" -> {
                    Set<Object> both = new HashSet<>((Set<?>) method.invoke(platform, arguments));
                    both.addAll((Set<?>) method.invoke(own, arguments));
                    yield both;
                }
                case "getMBeanCount" -> own.queryNames(null, null).size() + platform.getMBeanCount() - 1;
                case "getDomains" -> {
                    Set<String> both = new TreeSet<>(List.of(platform.getDomains()));
                    both.addAll(List.of(own.getDomains()));
                    yield both.toArray(String[]::new);
                }
                default -> method.invoke(concerned(arguments), arguments);
            };
        } catch (InvocationTargetException error) {
            throw error.getCause();
        }
    }

    /** The JVM's server for a bean of the JVM, the node's for all else. */
    private MBeanServer concerned(Object[] arguments) {
        return arguments != null && Stream.of(arguments).anyMatch(argument ->
                argument instanceof ObjectName name && !name.isPattern() && platform.isRegistered(name))
                ? platform : own;
    }
}
