package goldnode.jvm;

import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ForkJoinWorkerThread;

/**
 * Shuts down the pools that a program leaves running because its JVM would end with them.
 *
 * <p>An idle worker of a pool takes an interrupt for a reason to wait again; only its pool can end it.
 * A ForkJoin worker tells its pool; any other one is found through the thread's own task, which the
 * JDK keeps to itself: the jar's manifest opens three packages of {@code java.base} for this.
 */
final class Pools {
    /** How many objects may stand between a thread's task and its pool. */
    private static final int NEAR = 2;

    private Pools() {}

    /** Ends the pool that this thread works for, if it works for one; forced: without what it still holds. */
    static void shutdown(Thread thread, boolean force) {
        if (force && thread.getClass().getName().equals("java.util.TimerThread")) {
            cancelTimer(thread);
            return;
        }
        ExecutorService pool = thread instanceof ForkJoinWorkerThread worker ? worker.getPool() : pool(thread);
        if (pool == null || pool == ForkJoinPool.commonPool()) {
            return; // the common pool of a node refuses, and NodePools ends it
        }
        Inherited.attempt(force ? pool::shutdownNow : pool::shutdown);
        if (force) {
            Inherited.attempt(() -> Inherited.shutdownNow(pool));
        }
    }

    /** What {@code Timer.cancel} does; the thread does not know its timer. */
    private static void cancelTimer(Thread thread) {
        try {
            Object queue = read(thread, thread.getClass(), "queue");
            synchronized (queue) {
                Field open = thread.getClass().getDeclaredField("newTasksMayBeScheduled");
                open.setAccessible(true);
                open.setBoolean(thread, false);
                Method clear = queue.getClass().getDeclaredMethod("clear");
                clear.setAccessible(true);
                clear.invoke(queue);
                queue.notify();
            }
        } catch (ReflectiveOperationException moved) {
            throw new IllegalStateException("this Java hides the queue of a timer", moved);
        }
    }

    private static ExecutorService pool(Thread thread) {
        try {
            return pool(task(thread), NEAR);
        } catch (ReflectiveOperationException moved) {
            throw new IllegalStateException("this Java hides the task of a thread", moved);
        }
    }

    /** The pool that a task holds, or that something near it holds: Netty wraps its loops three times. */
    private static ExecutorService pool(Object holder, int near) throws ReflectiveOperationException {
        for (Class<?> type = holder == null ? null : holder.getClass(); readable(type); type = type.getSuperclass()) {
            for (Field field : type.getDeclaredFields()) {
                if (Modifier.isStatic(field.getModifiers()) || field.getType().isPrimitive()) {
                    continue;
                }
                field.setAccessible(true);
                Object value = field.get(holder);
                ExecutorService found =
                        value instanceof ExecutorService pool ? pool : near > 0 ? pool(value, near - 1) : null;
                if (found != null) {
                    return found;
                }
            }
        }
        return null;
    }

    /** Workers of the JDK's pools and a program's own classes; never the host, which has pools of its own. */
    private static boolean readable(Class<?> type) {
        return type != null
                && (type.getPackageName().equals("java.util.concurrent") || type.getClassLoader() instanceof NodeLoader);
    }

    /** What the thread was made to run: a field of the thread up to Java 18, of its holder from 19 on. */
    private static Object task(Thread thread) throws ReflectiveOperationException {
        if (VirtualThreads.is(thread)) {
            return VirtualThreads.task(thread);
        }
        if (Runtime.version().feature() < 19) {
            return read(thread, Thread.class, "target");
        }
        Object holder = read(thread, Thread.class, "holder");
        return holder == null ? null : read(holder, holder.getClass(), "task");
    }

    private static Object read(Object object, Class<?> owner, String name) throws ReflectiveOperationException {
        Field field = owner.getDeclaredField(name);
        field.setAccessible(true);
        return field.get(object);
    }
}
