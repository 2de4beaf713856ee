package goldnode.jvm;

import java.io.IOException;
import java.io.PrintStream;
import java.lang.ref.WeakReference;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import javax.management.MBeanServer;

/**
 * One life of a node, from its start to its last thread: own classes, threads, log and properties.
 *
 * <p>A life is never started twice; after its end nothing of it is kept, so its classes can be collected.
 */
final class Life implements Owner, NodeGroup.Ending {
    /** Hears how a life goes; called on any thread, returns at once. */
    interface Listener {
        void running(Life life);

        void ended(Life life, String reason);
    }

    private static final long LOG_LIMIT = 32L << 20;
    private static final long WATCH_MILLIS = 1000;

    private final Spec spec;
    private final Listener listener;
    private final PrintStream out;
    private final NodeLoader loader;
    private final NodeGroup group;
    private final Properties properties;
    private final Beans beans = new Beans();
    private final Usage usage = new Usage();
    private final Belongings own;
    private final Map<Thread, Boolean> hooks = new IdentityHashMap<>();
    private final CountDownLatch unwinding = new CountDownLatch(1);
    private volatile Thread.UncaughtExceptionHandler defaultHandler;
    private volatile AutoCloseable program;
    private volatile boolean stopping;
    private volatile boolean over;
    private volatile Seen seen = Seen.nothing();
    private volatile long peers = -1;
    private final Thread watching;
    private final Thread counting;

    Life(Spec spec, ThreadGroup parent, Listener listener) throws IOException {
        this.spec = spec;
        this.listener = listener;
        Path temporary = emptied(spec.home().resolve("tmp"));
        out = new PrintStream(new LogFile(spec.log(), LOG_LIMIT), true, StandardCharsets.UTF_8);
        loader = new NodeLoader(spec.name(), spec.jars(), this);
        group = new NodeGroup(parent, spec.name(), loader, this::uncaught);
        properties = new Properties();
        properties.putAll(System.getProperties());
        properties.setProperty("user.dir", spec.home().toString());
        properties.setProperty("user.home", spec.home().toString());
        properties.setProperty("java.io.tmpdir", temporary.toString());
        properties.setProperty("java.class.path", String.join(":", spec.jars().stream().map(Path::toString).toList()));
        properties.putAll(spec.properties());
        own = new Belongings(this);
        watching = group.daemon("watch", () -> watch(this::look));
        counting = group.daemon("peers", () -> watch(() -> peers = Seen.peers(beans.own())));
    }

    /** Starts the program on a thread of its own and returns. */
    void start() {
        group.thread("main", this::run).start();
        watching.start();
        counting.start();
    }

    /** Asks the node what it tells of itself, on a thread of its own: code of a node may take its time. */
    private void watch(Runnable look) {
        try {
            while (!stopping) {
                look.run();
                Thread.sleep(WATCH_MILLIS);
            }
        } catch (InterruptedException stopped) {
            return;
        }
    }

    private void look() {
        usage.read(group.live());
        seen = Seen.of(beans.own(), peers);
    }

    /** What it told last. */
    Seen seen() {
        return seen;
    }

    private void run() {
        try {
            Class<?> self = Class.forName("goldnode.jvm.inside.Self", true, loader);
            self.getMethod("registerDrivers").invoke(null);
            own.logs().begin();
            if (!spec.logLevel().isEmpty()) {
                logAt(spec.logLevel());
            }
            if (spec.adapter().isEmpty()) {
                listener.running(this);
                runMain();
            } else {
                Adapter adapter = (Adapter) loader.loadClass(spec.adapter()).getDeclaredConstructor().newInstance();
                program = adapter.start(spec.name(), spec.home(), spec.arguments());
                listener.running(this);
            }
        } catch (InvocationTargetException error) {
            failed(error.getCause());
        } catch (InterruptedException interrupted) {
            listener.ended(this, "interrupted");
        } catch (Throwable error) { // whatever the program throws is its end, not ours
            failed(error);
        }
    }

    /** Has the node log so much from now on, with whatever it logs. */
    void logAt(String level) {
        own.logs().at(LogLevel.level(level));
        group.thread("log", () -> {
            try {
                Class<?> logback = Class.forName("goldnode.jvm.inside.Logback", true, loader);
                logback.getMethod("at", String.class).invoke(null, level);
            } catch (ReflectiveOperationException | LinkageError error) {
                error.printStackTrace(out);
            }
        }).start();
    }

    private void runMain() throws ReflectiveOperationException, InterruptedException {
        String[] arguments = spec.arguments().toArray(String[]::new);
        loader.loadClass(spec.main()).getMethod("main", String[].class).invoke(null, (Object) arguments);
        Set<Thread> self = Set.of(Thread.currentThread());
        for (List<Thread> working = group.working(self); !working.isEmpty(); working = group.working(self)) {
            working.get(0).join();
        }
        listener.ended(this, "its main returned");
    }

    private void failed(Throwable error) {
        if (!(error instanceof NodeExit)) {
            error.printStackTrace(out);
            listener.ended(this, "uncaught " + error);
        }
    }

    /** Hears of what no code of the node caught, on any thread. */
    void uncaught(Thread thread, Throwable error) {
        if (error instanceof NodeExit) {
            return;
        }
        if (defaultHandler != null && !over) {
            defaultHandler.uncaughtException(thread, error);
        } else {
            out.print("Exception in thread \"" + thread.getName() + "\" ");
            error.printStackTrace(out);
        }
        if (error instanceof Error) {
            listener.ended(this, "uncaught " + error + " in thread " + thread.getName());
        }
    }

    /**
     * Ends the life as SIGTERM would, each phase bounded by the node's {@code stop.seconds}.
     *
     * @return what went wrong, one clause each; empty after a clean end
     */
    List<String> stop() throws InterruptedException, IOException {
        stopping = true;
        watching.interrupt();
        counting.interrupt();
        List<String> faults = new ArrayList<>();
        if (program != null) {
            within(List.of(group.thread("stop", this::closeProgram)), faults);
        }
        within(takeHooks(), faults);
        unwinding.countDown();
        within(List.of(group.thread("farewell", this::deregisterDrivers)), faults);
        List<Thread> left = group.drain(millis(), this);
        if (!left.isEmpty()) {
            faults.add(left.size() + " threads left: " + names(left));
            return faults;
        }
        group.pools().end(true);
        close(true);
        Thread last = group.thread("last", this::takeBack);
        within(List.of(last), faults);
        if (last.isAlive()) {
            return faults;
        }
        loader.close();
        out.close();
        group.discard();
        return faults;
    }

    /** What the JVM still has of the node; code of the node is called, which may be refused by now. */
    private void takeBack() {
        beans.removeLeft().forEach(what -> out.println("goldnode: took out what the node left behind: " + what));
        try {
            own.delete();
        } catch (NodeExit closed) {
            out.println("goldnode: the node ended without closing its log");
        }
    }

    /** Some of it may block, so it happens on a thread of its own. */
    private void close(boolean selectors) throws InterruptedException {
        within(List.of(group.thread("close", () -> own.close(selectors)
                .forEach(what -> out.println("goldnode: closed what the node left open: " + what)))), new ArrayList<>());
    }

    @Override
    public void close() throws InterruptedException {
        close(false);
    }

    @Override
    public void refuse() throws InterruptedException {
        over = true;
        Agent.refuse(loader);
        close(true); // also what was opened since, in a loop around what was closed
    }

    @Override
    public boolean over() {
        return over;
    }

    /** Whether a thread still runs code of this life, its own or a shared one. */
    boolean lingers() {
        return !group.atWork().isEmpty();
    }

    /** Every thread of the node, with what it does. */
    String dump() {
        StringBuilder text = new StringBuilder();
        for (Thread thread : group.live()) {
            text.append('"').append(thread.getName()).append("\" node=").append(spec.name())
                    .append(thread.isDaemon() ? " daemon " : " ").append(thread.getState()).append('\n');
            for (StackTraceElement frame : thread.getStackTrace()) {
                text.append("    at ").append(frame).append('\n');
            }
            text.append('\n');
        }
        return text.toString();
    }

    /** What the node has used since it began, a second ago. */
    Usage usage() {
        return usage;
    }

    /** The same, at this moment. */
    Usage used() {
        usage.read(group.live());
        return usage;
    }

    int threads() {
        return group.live().size();
    }

    /** To see whether the classes of this life were collected. */
    WeakReference<ClassLoader> trace() {
        return new WeakReference<>(loader);
    }

    private void within(List<Thread> threads, List<String> faults) throws InterruptedException {
        threads.forEach(Thread::start);
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis());
        for (Thread thread : threads) {
            thread.join(Math.max(1, TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime())));
            if (thread.isAlive()) {
                faults.add(thread.getName() + " did not end within " + spec.stopSeconds() + " s");
            }
        }
    }

    private void closeProgram() {
        try {
            program.close();
        } catch (Exception error) { // the program's own; the stop goes on
            error.printStackTrace(out);
        }
    }

    private void deregisterDrivers() {
        try {
            Class.forName("goldnode.jvm.inside.Self", true, loader).getMethod("deregisterDrivers").invoke(null);
        } catch (ReflectiveOperationException | LinkageError error) {
            error.printStackTrace(out);
        }
    }

    private List<Thread> takeHooks() {
        synchronized (hooks) {
            List<Thread> taken = List.copyOf(hooks.keySet());
            hooks.clear();
            return taken;
        }
    }

    /** Programs unpack libraries here and leave them until their JVM ends, which here it does not. */
    private static Path emptied(Path folder) throws IOException {
        Files.createDirectories(folder);
        try (Stream<Path> content = Files.walk(folder)) {
            for (Path path : content.sorted(Comparator.reverseOrder()).filter(path -> !path.equals(folder)).toList()) {
                Files.delete(path);
            }
        }
        return folder;
    }

    private long millis() {
        return TimeUnit.SECONDS.toMillis(spec.stopSeconds());
    }

    private static String names(List<Thread> threads) {
        return String.join(", ", threads.stream().map(Thread::getName).limit(5).toList());
    }

    @Override
    public void exit(int code) {
        if (!stopping) {
            listener.ended(this, "exit code " + code);
            boolean interrupted = false;
            while (unwinding.getCount() > 0) {
                try {
                    unwinding.await();
                } catch (InterruptedException again) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
        throw new NodeExit(code);
    }

    @Override
    public void addHook(Thread hook) {
        synchronized (hooks) {
            if (stopping) {
                throw new IllegalStateException("Shutdown in progress");
            }
            if (hooks.put(hook, true) != null) {
                throw new IllegalArgumentException("Hook previously registered");
            }
        }
    }

    @Override
    public boolean removeHook(Thread hook) {
        synchronized (hooks) {
            return hooks.remove(hook) != null;
        }
    }

    @Override
    public ForkJoinPool pool() {
        return group.pools().common();
    }

    @Override
    public ScheduledFuture<?> delay(Runnable work, long delay, TimeUnit unit) {
        return group.pools().delay(work, delay, unit);
    }

    @Override
    public Belongings own() {
        return own;
    }

    @Override
    public Properties properties() {
        return properties;
    }

    @Override
    public MBeanServer beans() {
        return beans.view();
    }

    @Override
    public PrintStream out() {
        return out;
    }

    @Override
    public void setDefaultHandler(Thread.UncaughtExceptionHandler handler) {
        defaultHandler = handler;
    }

    @Override
    public Thread.UncaughtExceptionHandler defaultHandler() {
        return defaultHandler;
    }
}
