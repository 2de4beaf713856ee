package goldnode.jvm;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ThreadPoolExecutor;

/**
 * Ends pools and interrupts threads by the JDK's own methods, whatever a node's classes override.
 *
 * <p>An override may do nothing, or be refused by then. The jar's manifest opens both packages.
 */
final class Inherited {
    private static final MethodHandle END_OF_THREADS = method(ThreadPoolExecutor.class, "shutdownNow", List.class);
    private static final MethodHandle END_OF_WORKERS = method(ForkJoinPool.class, "shutdownNow", List.class);
    private static final MethodHandle INTERRUPT = method(Thread.class, "interrupt", void.class);

    private Inherited() {}

    /** Shuts a pool down as the JDK's class does that it extends; one of another kind stays as it is. */
    static void shutdownNow(ExecutorService pool) {
        if (pool instanceof ThreadPoolExecutor) {
            call(END_OF_THREADS, pool);
        } else if (pool instanceof ForkJoinPool) {
            call(END_OF_WORKERS, pool);
        }
    }

    /** Interrupts a thread; a virtual one has no class but the JDK's. */
    static void interrupt(Thread thread) {
        if (VirtualThreads.is(thread)) {
            thread.interrupt();
        } else {
            call(INTERRUPT, thread);
        }
    }

    /**
     * Ends a pool or interrupts a thread, which can be code of the node: it may fail, block, exit or be refused.
     *
     * <p>Therefore called on a thread of the node, each by itself: one that cannot be ended holds no other up.
     */
    static void attempt(Runnable ending) {
        try {
            ending.run();
        } catch (RuntimeException | Error fault) {
            // Netty's global pool refuses, and ends when it is idle. A thread that is left after all is named.
        }
    }

    private static void call(MethodHandle method, Object target) {
        try {
            method.invoke(target);
        } catch (RuntimeException | Error thrown) {
            throw thrown;
        } catch (Throwable impossible) { // none of them declares one
            throw new IllegalStateException(impossible);
        }
    }

    private static MethodHandle method(Class<?> type, String name, Class<?> result) {
        try {
            return MethodHandles.privateLookupIn(type, MethodHandles.lookup())
                    .findSpecial(type, name, MethodType.methodType(result), type);
        } catch (ReflectiveOperationException moved) {
            throw new IllegalStateException("this Java has no " + type.getName() + "." + name, moved);
        }
    }
}
