package sample;

import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.URL;
import java.net.URLConnection;
import java.net.URLStreamHandler;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousFileChannel;
import java.nio.channels.AsynchronousServerSocketChannel;
import java.nio.channels.AsynchronousSocketChannel;
import java.nio.channels.ClosedSelectorException;
import java.nio.channels.CompletionHandler;
import java.nio.channels.FileChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.Security;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RecursiveAction;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.logging.ConsoleHandler;
import java.util.logging.Level;
import java.util.logging.Logger;
import javax.management.ObjectName;
import javax.management.StandardMBean;

/** Uses what a JVM has once for all its programs, as a program does that has a JVM of its own. */
public final class Guest {
    private static final List<Object> DEAF = new CopyOnWriteArrayList<>();
    private static final List<byte[]> HELD = new ArrayList<>();

    private Guest() {}

    /** Does what the second word says; the third is a file to write to, or a number. */
    static String answer(String[] words) {
        try {
            return String.valueOf(done(words[1], words.length > 2 ? words[2] : ""));
        } catch (Throwable error) { // the test reads what went wrong
            return error.toString();
        }
    }

    private static Object done(String what, String word) throws Throwable {
        return switch (what) {
            case "virtual" -> Thread.class.getMethod("startVirtualThread", Runnable.class)
                    .invoke(null, (Runnable) () -> beat(Path.of(word), false));
            case "virtual-executor" -> ((ExecutorService) Executors.class
                    .getMethod("newVirtualThreadPerTaskExecutor").invoke(null)).submit(() -> beat(Path.of(word), false));
            case "stubborn-virtual-pool" -> Executors.newCachedThreadPool(virtualThreads())
                    .submit(() -> beat(Path.of(word), true));
            case "stubborn-virtual" -> Thread.class.getMethod("startVirtualThread", Runnable.class)
                    .invoke(null, (Runnable) () -> beat(Path.of(word), true));
            case "async" -> CompletableFuture.runAsync(() -> beat(Path.of(word), false)).isDone();
            case "stubborn-async" -> CompletableFuture.runAsync(() -> beat(Path.of(word), true)).isDone();
            case "pool" -> ForkJoinPool.commonPool().submit(() -> beat(Path.of(word), false)).isDone();
            case "stubborn-fork" -> forked(Path.of(word));
            case "deaf" -> deaf(word);
            case "ignoring-pool" -> new OwnPool(() -> {}).submit(() -> {}).get();
            case "failing-pool" -> new OwnPool(() -> System.exit(3)).submit(() -> {}).get();
            case "blocking-pool" -> new OwnPool(() -> hearNothing("semaphore")).submit(() -> {}).get();
            case "virtual-pool" -> Executors.newCachedThreadPool(virtualThreads()).submit(() -> {}).get();
            case "failing-thread" -> unwilling();
            case "take" -> taken(word);
            case "files" -> files();
            case "later" -> CompletableFuture.runAsync(() -> beat(Path.of(word), false),
                    CompletableFuture.delayedExecutor(1, TimeUnit.SECONDS)).isDone();
            case "timeout" -> new CompletableFuture<String>().orTimeout(10, TimeUnit.MILLISECONDS)
                    .handle((value, error) -> error.getClass().getSimpleName()).get(10, TimeUnit.SECONDS);
            case "file" -> written(Path.of(word));
            case "reflected-exit" -> inThread(() -> System.class.getMethod("exit", int.class).invoke(null, 7));
            case "plugin-exit" -> inThread(() -> new Plugins(true).loadClass("sample.Plugin").getMethod("exit").invoke(null));
            case "alien-exit" -> inThread(() -> new Plugins(false).loadClass("sample.Plugin").getMethod("exit").invoke(null));
            case "plugin-property" -> new Plugins(true).loadClass("sample.Plugin").getMethod("property").invoke(null);
            case "allocate" -> allocated(Integer.parseInt(word));
            case "log-fine" -> fine(word);
            case "chain" -> chain(new Chain(Boolean.parseBoolean(word), 7, "ab", 2));
            case "chain-dials" -> chain(new Dialling());
            case "huge" -> new byte[Integer.MAX_VALUE].length;
            case "spend" -> spent();
            case "provider" -> Security.addProvider(new SampleProvider()) > 0
                    && Security.getProvider("Sample") instanceof SampleProvider;
            case "no-provider" -> Security.getProvider("Sample") == null;
            case "bean" -> ManagementFactory.getPlatformMBeanServer().registerMBean(
                    new StandardMBean((Runnable) () -> {}, Runnable.class), new ObjectName("sample:name=shared"));
            case "scheme" -> scheme();
            case "scheme-again" -> new String(URI.create("sample:text").toURL().openStream().readAllBytes());
            case "log" -> logged(word);
            case "context" -> context();
            case "temporary" -> File.createTempFile("sample", null).getParent() + " "
                    + Files.createTempFile("sample", null).getParent() + " " + Files.createTempDirectory("sample").getParent();
            case "native" -> loaded(System.getProperty("java.home") + "/lib/libprefs.so");
            default -> throw new IllegalArgumentException("unknown: " + what);
        };
    }

    private static String scheme() throws IOException {
        String text = System.getProperty("node.name");
        URL.setURLStreamHandlerFactory(protocol -> !protocol.equals("sample") ? null : new URLStreamHandler() {
            @Override
            protected URLConnection openConnection(URL url) {
                return new URLConnection(url) {
                    @Override
                    public void connect() {}

                    @Override
                    public InputStream getInputStream() {
                        return new ByteArrayInputStream(text.getBytes());
                    }
                };
            }
        });
        return new String(URI.create("sample:text").toURL().openStream().readAllBytes());
    }

    private static String logged(String word) {
        Logger root = Logger.getLogger("");
        int before = root.getHandlers().length;
        root.addHandler(new ConsoleHandler());
        Logger.getLogger("sample.of").setLevel(Level.FINE);
        Logger.getLogger("sample.of").info("a line of " + word);
        return before + " handlers";
    }

    /** Whether code of the program finds its classes on a thread that all programs of the JVM share. */
    private static boolean context() throws Exception {
        CompletableFuture<ClassLoader> found = new CompletableFuture<>();
        try (AsynchronousServerSocketChannel channel = AsynchronousServerSocketChannel.open()) {
            channel.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            channel.accept(null, new CompletionHandler<AsynchronousSocketChannel, Object>() {
                @Override
                public void completed(AsynchronousSocketChannel result, Object attachment) {
                    found.complete(Thread.currentThread().getContextClassLoader());
                }

                @Override
                public void failed(Throwable error, Object attachment) {
                    found.completeExceptionally(error);
                }
            });
            new Socket(InetAddress.getLoopbackAddress(), ((InetSocketAddress) channel.getLocalAddress()).getPort()).close();
            return found.get(10, TimeUnit.SECONDS) == Guest.class.getClassLoader();
        }
    }

    private static ThreadFactory virtualThreads() throws ReflectiveOperationException {
        Object builder = Thread.class.getMethod("ofVirtual").invoke(null);
        return (ThreadFactory) Class.forName("java.lang.Thread$Builder").getMethod("factory").invoke(builder);
    }

    /** Makes so many MiB of garbage. */
    private static int allocated(int megabytes) {
        int length = 0;
        for (int round = 0; round < megabytes; round++) {
            length += new byte[1 << 20].length;
        }
        return length;
    }

    private static String fine(String text) {
        Logger.getLogger("sample").fine(text);
        return "done";
    }

    /** What the JVM host asks a node for. */
    public interface ChainMXBean {
        long getHeight();

        String getHead();

        int getPeers();

        boolean isReady();
    }

    private record Chain(boolean isReady, long getHeight, String getHead, int getPeers) implements ChainMXBean {}

    /** A node that connects to a peer that does not answer, and holds its peers locked meanwhile. */
    private record Dialling() implements ChainMXBean {
        @Override
        public long getHeight() {
            return 8;
        }

        @Override
        public String getHead() {
            return "cd";
        }

        @Override
        public int getPeers() {
            LockSupport.parkNanos(TimeUnit.HOURS.toNanos(1));
            return 3;
        }

        @Override
        public boolean isReady() {
            return true;
        }
    }

    private static String chain(ChainMXBean chain) throws Exception {
        ObjectName name = new ObjectName("goldnode:type=Chain");
        if (ManagementFactory.getPlatformMBeanServer().isRegistered(name)) {
            ManagementFactory.getPlatformMBeanServer().unregisterMBean(name);
        }
        ManagementFactory.getPlatformMBeanServer().registerMBean(chain, name);
        return "done";
    }

    /** Fills the heap and keeps it full, and takes no notice. */
    private static String spent() {
        while (true) {
            try {
                HELD.add(new byte[16 << 10]);
            } catch (OutOfMemoryError full) {
                Thread.onSpinWait();
            }
        }
    }

    private static String loaded(String library) {
        System.load(library);
        return "loaded";
    }

    private interface Work {
        Object run() throws Throwable;
    }

    private static String inThread(Work work) {
        new Thread(() -> {
            try {
                work.run();
            } catch (Throwable error) {
                System.out.println(error);
            }
        }).start();
        return "done";
    }

    /** Writes to the file without end: whoever reads it sees whether this still runs. */
    private static void beat(Path file, boolean stubborn) {
        while (true) {
            try {
                Files.writeString(file, ".", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
                Thread.sleep(20);
            } catch (Throwable error) { // an interrupt closes a file as well
                if (!stubborn || Files.isDirectory(file)) {
                    return;
                }
            }
        }
    }

    /** A thread of its own that takes no hint, as threads of well-known libraries do. */
    private static String deaf(String way) throws Exception {
        DEAF.clear();
        CountDownLatch begun = new CountDownLatch(1);
        Thread thread = new Thread(() -> {
            begun.countDown();
            hearNothing(way);
        }, "deaf-" + way);
        thread.setDaemon(true);
        thread.start();
        begun.await();
        return "done";
    }

    private static void hearNothing(String way) {
        Semaphore never = new Semaphore(0);
        while (true) {
            try {
                switch (way) {
                    case "semaphore" -> never.acquire();
                    case "queue" -> new LinkedBlockingQueue<String>().take();
                    case "sleep" -> Thread.sleep(3_600_000);
                    case "spin" -> spin();
                    case "park" -> parked();
                    case "wait" -> {
                        synchronized (never) {
                            never.wait();
                        }
                    }
                    case "accept" -> hold(new ServerSocket(0, 5, InetAddress.getLoopbackAddress())).accept();
                    case "read" -> {
                        ServerSocket server = hold(new ServerSocket(0, 5, InetAddress.getLoopbackAddress()));
                        Socket client = hold(new Socket(server.getInetAddress(), server.getLocalPort()));
                        hold(server.accept());
                        client.getInputStream().read();
                    }
                    case "reselect" -> reselect();
                    case "select" -> {
                        ServerSocketChannel channel = hold(ServerSocketChannel.open());
                        channel.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0)).configureBlocking(false);
                        Selector selector = hold(Selector.open());
                        channel.register(selector, SelectionKey.OP_ACCEPT);
                        selector.select();
                    }
                    default -> throw new IllegalArgumentException(way);
                }
            } catch (InterruptedException | IOException ignored) {
                // This is the point.
            }
        }
    }

    /** A pool that ends as it likes; its thread waits for work. */
    private static final class OwnPool extends ThreadPoolExecutor {
        private final Runnable end;

        OwnPool(Runnable end) {
            super(1, 1, 0, TimeUnit.SECONDS, new LinkedBlockingQueue<>());
            this.end = end;
        }

        @Override
        public void shutdown() {
            end.run();
        }

        @Override
        public List<Runnable> shutdownNow() {
            end.run();
            return List.of();
        }
    }

    /** A thread that cannot be interrupted. */
    private static String unwilling() throws InterruptedException {
        CountDownLatch begun = new CountDownLatch(1);
        new Thread(() -> {
            begun.countDown();
            hearNothing("sleep");
        }) {
            @Override
            public void interrupt() {
                throw new IllegalStateException("not now");
            }
        }.start();
        begun.await();
        return "done";
    }

    private static void parked() {
        LockSupport.park();
    }

    /** Waits at a selector, and takes a closed one for a fault of the JDK, as Grizzly does: it opens another. */
    private static void reselect() throws IOException {
        Selector selector = Selector.open();
        try {
            while (true) {
                selector.select();
            }
        } catch (ClosedSelectorException closed) {
            return;
        }
    }

    private static void spin() {
        for (int round = 0; round < 1000; round++) {
            Thread.onSpinWait();
        }
    }

    /** Kept reachable, so that no collection closes it. */
    private static <T> T hold(T resource) {
        DEAF.add(resource);
        return resource;
    }

    /** Takes a port and locks a file, and closes neither. */
    private static String taken(String words) throws IOException {
        String[] both = words.split(",");
        hold(ServerSocketChannel.open()).bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(both[0])));
        return String.valueOf(hold(hold(FileChannel.open(Path.of(both[1]), StandardOpenOption.CREATE, StandardOpenOption.WRITE)).tryLock()).isValid());
    }

    /** Opens files until it may open no more. */
    private static String files() {
        try {
            while (true) {
                hold(FileChannel.open(Path.of("/dev/null")));
            }
        } catch (IOException full) {
            return full.getMessage();
        }
    }

    private static String forked(Path file) {
        new RecursiveAction() {
            private static final long serialVersionUID = 1L;

            @Override
            protected void compute() {
                beat(file, true);
            }
        }.fork();
        return "done";
    }

    private static String written(Path file) throws Exception {
        CompletableFuture<Integer> count = new CompletableFuture<>();
        try (AsynchronousFileChannel channel = AsynchronousFileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap(new byte[] {1, 2, 3}), 0, null, new CompletionHandler<Integer, Object>() {
                @Override
                public void completed(Integer result, Object attachment) {
                    count.complete(result);
                }

                @Override
                public void failed(Throwable error, Object attachment) {
                    count.completeExceptionally(error);
                }
            });
            return count.get(10, TimeUnit.SECONDS) + " bytes";
        }
    }

    /** Loads the plugin from its bytes, before its parent is asked, as containers and fat jars do. */
    private static final class Plugins extends ClassLoader {
        Plugins(boolean below) {
            super(below ? Guest.class.getClassLoader() : null);
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (!name.equals("sample.Plugin")) {
                return super.loadClass(name, resolve);
            }
            try (InputStream stream = Guest.class.getResourceAsStream("Plugin.class")) {
                byte[] content = stream.readAllBytes();
                return defineClass(name, content, 0, content.length);
            } catch (IOException error) {
                throw new ClassNotFoundException(name, error);
            }
        }
    }
}
