package goldnode.jvm;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.stream.Stream;

/**
 * All virtual threads of the JVM, from Java 21 on: no thread group holds them.
 *
 * <p>The JDK keeps them for its own thread dumps, in containers that the jar's manifest opens; it keeps
 * those that no executor made as well when the property {@code jdk.trackAllThreads} says so.
 */
final class VirtualThreads {
    private static final String PACKAGE = "jdk.internal.vm.";
    private static final Method VIRTUAL = method("java.lang.Thread", "isVirtual");
    private static final Method ROOT = method(PACKAGE + "ThreadContainers", "root");
    private static final Method CHILDREN = method(PACKAGE + "ThreadContainer", "children");
    private static final Method THREADS = method(PACKAGE + "ThreadContainer", "threads");

    private VirtualThreads() {}

    /** Those alive now. */
    static Stream<Thread> all() {
        return VIRTUAL == null ? Stream.empty() : in(call(ROOT, null)).filter(VirtualThreads::is);
    }

    /** Whether the thread is one of them. */
    static boolean is(Thread thread) {
        return VIRTUAL != null && (boolean) call(VIRTUAL, thread);
    }

    private static Stream<Thread> in(Object container) {
        Stream<?> threads = (Stream<?>) call(THREADS, container);
        Stream<?> children = (Stream<?>) call(CHILDREN, container);
        return Stream.concat(threads.map(Thread.class::cast), children.flatMap(VirtualThreads::in));
    }

    private static Object call(Method method, Object target) {
        try {
            return method.invoke(target);
        } catch (IllegalAccessException | InvocationTargetException error) {
            throw new IllegalStateException("this Java hides its virtual threads", error);
        }
    }

    /** The method; null on a Java without virtual threads. */
    private static Method method(String type, String name) {
        if (Runtime.version().feature() < 21) {
            return null;
        }
        try {
            Method method = Class.forName(type).getDeclaredMethod(name);
            method.trySetAccessible();
            return method;
        } catch (ReflectiveOperationException moved) {
            throw new IllegalStateException("this Java has no " + type + "." + name, moved);
        }
    }
}
