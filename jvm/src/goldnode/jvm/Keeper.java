package goldnode.jvm;

import goldnode.jvm.boot.Gate;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;

/** Answers the JDK: what a node's code asks of the JVM is the node's, all else the JVM's as ever. */
final class Keeper implements Gate.Keeper {
    private static final StackWalker WALKER = StackWalker.getInstance(StackWalker.Option.RETAIN_CLASS_REFERENCE);

    private final MethodHandle exit = jdk("java.lang.Shutdown", "exit", void.class, int.class);
    private final MethodHandle halt = jdk("java.lang.Shutdown", "halt", void.class, int.class);
    private final MethodHandle add = jdk("java.lang.ApplicationShutdownHooks", "add", void.class, Thread.class);
    private final MethodHandle remove = jdk("java.lang.ApplicationShutdownHooks", "remove", boolean.class, Thread.class);
    private final MethodHandle delay = Runtime.version().feature() > 24 ? null // a pool delays by itself from 25 on
            : jdk("java.util.concurrent.CompletableFuture$Delayer", "delay", ScheduledFuture.class, Runnable.class,
                    long.class, TimeUnit.class);
    private final ForkJoinPool common = ForkJoinPool.commonPool();

    /** Has the JDK ask from now on; its side of the gate has to be with the boot loader by then. */
    static void serve() {
        Gate.keeper = new Keeper();
    }

    /** The JDK's own halt, which asks nobody. */
    static MethodHandle halting() {
        return jdk("java.lang.Shutdown", "halt", void.class, int.class);
    }

    /** The owner of the call that is under way on this thread; null when it is the host's or the JDK's. */
    static Owner caller() {
        Thread thread = Thread.currentThread();
        NodeGroup group = NodeGroup.of(thread);
        if (group != null) {
            return group.owner();
        }
        NodeLoader loader = NodeLoader.above(thread.getContextClassLoader());
        return loader != null ? loader.owner() : WALKER.walk(frames -> frames
                .map(frame -> NodeLoader.above(frame.getDeclaringClass().getClassLoader()))
                .filter(found -> found != null)
                .findFirst()
                .map(NodeLoader::owner)
                .orElse(null));
    }

    @Override
    public void exit(int code) {
        Owner owner = caller();
        if (owner != null) {
            owner.exit(code);
        }
        original(() -> exit.invoke(code));
    }

    @Override
    public void halt(int code) {
        Owner owner = caller();
        if (owner != null) {
            owner.exit(code);
        }
        original(() -> halt.invoke(code));
    }

    @Override
    public void addHook(Thread hook) {
        Owner owner = caller();
        if (owner != null) {
            owner.addHook(hook);
        } else {
            original(() -> add.invoke(hook));
        }
    }

    @Override
    public boolean removeHook(Thread hook) {
        Owner owner = caller();
        return owner != null ? owner.removeHook(hook) : (boolean) original(() -> remove.invoke(hook));
    }

    @Override
    public ForkJoinPool pool() {
        Owner owner = caller();
        return owner == null ? common : owner.pool();
    }

    @Override
    public ScheduledFuture<?> delay(Runnable work, long delayed, TimeUnit unit) {
        Owner owner = caller();
        return owner != null ? owner.delay(work, delayed, unit)
                : (ScheduledFuture<?>) original(() -> delay.invoke(work, delayed, unit));
    }

    @Override
    public void interrupted() {
        unlessOver(caller());
    }

    private static void unlessOver(Owner owner) {
        if (owner != null && owner.over()) {
            throw new NodeExit();
        }
    }

    @Override
    public void opened(Object resource) {
        Owner owner = caller();
        if (owner != null) {
            unlessOver(owner);
            owner.own().opened.add(resource);
        }
    }

    @Override
    public Error ended() {
        return new NodeExit();
    }

    private interface Call {
        Object call() throws Throwable;
    }

    private static Object original(Call call) {
        try {
            return call.call();
        } catch (RuntimeException | Error thrown) {
            throw thrown;
        } catch (Throwable impossible) { // none of these methods declares one
            throw new IllegalStateException(impossible);
        }
    }

    private static MethodHandle jdk(String type, String name, Class<?> result, Class<?>... parameters) {
        try {
            Class<?> owner = Class.forName(type);
            return MethodHandles.privateLookupIn(owner, MethodHandles.lookup())
                    .findStatic(owner, name, MethodType.methodType(result, parameters));
        } catch (ReflectiveOperationException moved) {
            throw new IllegalStateException("this Java has no " + type + "." + name, moved);
        }
    }
}
