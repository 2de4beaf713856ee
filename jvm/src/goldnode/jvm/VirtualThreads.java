package goldnode.jvm;

import java.lang.ref.Reference;
import java.lang.reflect.AccessibleObject;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Set;
import java.util.stream.Stream;

/**
 * All virtual threads of the JVM, from Java 21 on: no thread group holds them.
 *
 * <p>The JDK keeps them for its own thread dumps, in containers that the jar's manifest opens; it keeps
 * those that no executor made as well when the property {@code jdk.trackAllThreads} says so. A structured
 * scope's threads are not among them: the thread that opened it outlives them.
 *
 * <p>The JDK's own walk asks each pool of platform threads for its threads, which then looks at all of the
 * JVM's: seconds, where a program has a thousand pools. Here such a pool is asked for its virtual ones alone.
 */
final class VirtualThreads {
    private static final String PACKAGE = "jdk.internal.vm.";
    private static final Method VIRTUAL = opened(() -> Thread.class.getMethod("isVirtual"));
    private static final Method ROOT = opened(() -> inside("ThreadContainers").getDeclaredMethod("root"));
    private static final Method THREADS = opened(() -> inside("ThreadContainer").getDeclaredMethod("threads"));
    private static final Field REGISTERED =
            opened(() -> inside("ThreadContainers").getDeclaredField("CONTAINER_REGISTRY"));
    private static final Field VIRTUAL_OF_POOL =
            opened(() -> inside("SharedThreadContainer").getDeclaredField("virtualThreads"));
    private static final Field CONTINUATION =
            opened(() -> Class.forName("java.lang.VirtualThread").getDeclaredField("cont"));
    private static final Field TARGET = opened(() -> inside("Continuation").getDeclaredField("target"));
    private static final Field TASK = opened(
            () -> Class.forName("java.lang.VirtualThread$VThreadContinuation$1").getDeclaredField("val$task"));

    /** Finds a part of the JDK. */
    private interface Search<T extends AccessibleObject> {
        T find() throws ReflectiveOperationException;
    }

    private VirtualThreads() {}

    /** Those alive now. */
    static Stream<Thread> all() {
        if (VIRTUAL == null) {
            return Stream.empty();
        }
        Stream<Object> registered = ((Set<?>) get(REGISTERED, null)).stream().map(held -> ((Reference<?>) held).get());
        return Stream.concat(Stream.of(call(ROOT, null)), registered).flatMap(VirtualThreads::in)
                .map(Thread.class::cast).filter(VirtualThreads::is);
    }

    /** Whether the thread is one of them. */
    static boolean is(Thread thread) {
        return VIRTUAL != null && (boolean) call(VIRTUAL, thread);
    }

    /** What one of them was made to run: the JDK keeps it in what its continuation runs. */
    static Object task(Thread thread) {
        return get(TASK, get(TARGET, get(CONTINUATION, thread)));
    }

    private static Stream<?> in(Object container) {
        if (container == null) {
            return Stream.empty(); // collected meanwhile
        }
        if (VIRTUAL_OF_POOL.getDeclaringClass().isInstance(container)) {
            Set<?> own = (Set<?>) get(VIRTUAL_OF_POOL, container);
            return own == null ? Stream.empty() : own.stream();
        }
        return (Stream<?>) call(THREADS, container);
    }

    private static Object call(Method method, Object target) {
        try {
            return method.invoke(target);
        } catch (IllegalAccessException | InvocationTargetException error) {
            throw new IllegalStateException("this Java hides its virtual threads", error);
        }
    }

    private static Object get(Field field, Object target) {
        try {
            return field.get(target);
        } catch (IllegalAccessException error) {
            throw new IllegalStateException("this Java hides its virtual threads", error);
        }
    }

    private static Class<?> inside(String name) throws ClassNotFoundException {
        return Class.forName(PACKAGE + name);
    }

    /** What is found, open to us; null on a Java without virtual threads. */
    private static <T extends AccessibleObject> T opened(Search<T> search) {
        if (Runtime.version().feature() < 21) {
            return null;
        }
        try {
            T found = search.find();
            found.trySetAccessible();
            return found;
        } catch (ReflectiveOperationException moved) {
            throw new IllegalStateException("this Java keeps its virtual threads elsewhere", moved);
        }
    }
}
