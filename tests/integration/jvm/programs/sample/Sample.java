package sample;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.sql.DriverManager;
import java.util.Timer;
import java.util.TimerTask;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.ForkJoinPool;
import javax.management.ObjectName;
import javax.management.StandardMBean;

/**
 * A node for tests: counts, on a loopback port, and does to its JVM whatever it is told to.
 *
 * <p>One line in, one line out. The class knows nothing of the JVM host: it is a plain program with a
 * {@code main}, and with {@code java sample.Sample PORT} it would run alone.
 */
public final class Sample {
    private static int count;

    private Sample() {}

    public static void main(String[] arguments) throws IOException {
        int port = Integer.parseInt(arguments[0]);
        if (arguments.length > 1) {
            act(arguments[1]);
        }
        ServerSocket server = new ServerSocket(port, 50, InetAddress.getLoopbackAddress());
        Runtime.getRuntime().addShutdownHook(new Thread(() -> close(server)));
        Thread accepting = new Thread(() -> accept(server), "accepting");
        accepting.start();
        System.out.println("serving on " + port);
    }

    private static void accept(ServerSocket server) {
        try {
            while (true) {
                serve(server.accept());
            }
        } catch (IOException closed) {
            System.out.println("closed");
        }
    }

    private static void serve(Socket client) throws IOException {
        try (client) {
            BufferedReader in = new BufferedReader(new InputStreamReader(client.getInputStream()));
            PrintStream out = new PrintStream(client.getOutputStream(), true);
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                out.println(answer(line));
            }
        }
    }

    private static String answer(String line) {
        return switch (line.split(" ")[0]) {
            case "count" -> String.valueOf(++count);
            case "property" -> String.valueOf(System.getProperty(line.split(" ")[1]));
            case "pool" -> poolGroup();
            case "release" -> release();
            case "guest" -> Guest.answer(line.split(" "));
            default -> act(line);
        };
    }

    private static String act(String line) {
        String[] words = line.split(" ");
        switch (words[0]) {
            case "exit" -> new Thread(() -> System.exit(Integer.parseInt(words[1]))).start();
            case "halt" -> new Thread(() -> Runtime.getRuntime().halt(Integer.parseInt(words[1]))).start();
            case "error" -> new Thread(() -> fail("as told"), "failing").start();
            case "exception" -> new Thread(() -> Integer.parseInt("no number"), "excepting").start();
            case "trace" -> new IllegalStateException("a trace of " + words[1]).printStackTrace();
            case "block" -> Runtime.getRuntime().addShutdownHook(new Thread(Sample::forever, "blocking"));
            case "linger" -> new Thread(Sample::forever, "lingering").start();
            case "leak" -> leak();
            default -> throw new IllegalArgumentException("unknown: " + line);
        }
        return "done";
    }

    /** What the class path says the program's release is. */
    private static String release() {
        try (InputStream text = Sample.class.getResourceAsStream("/release.txt")) {
            return new String(text.readAllBytes());
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    /** The group of a thread of the common pool; who waits for a pool's task with join might run it itself. */
    private static String poolGroup() {
        BlockingQueue<String> answer = new ArrayBlockingQueue<>(1);
        ForkJoinPool.commonPool().execute(() -> answer.add(Thread.currentThread().getThreadGroup().getName()));
        try {
            return answer.take();
        } catch (InterruptedException interrupted) {
            return "interrupted";
        }
    }

    private static void fail(String why) {
        throw new AssertionError(why);
    }

    /** Everything that programs leave behind because their JVM ends with them. */
    private static void leak() {
        Executors.newFixedThreadPool(2).submit(() -> {});
        Executors.newScheduledThreadPool(1).schedule(() -> {}, 1, java.util.concurrent.TimeUnit.HOURS);
        CompletableFuture.runAsync(() -> {}).join();
        new ForkJoinPool(2).submit(() -> {}).join();
        new Timer("timer", false).schedule(new TimerTask() {
            @Override
            public void run() {}
        }, 3_600_000);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {}));
        Thread.setDefaultUncaughtExceptionHandler((thread, error) -> {});
        try {
            DriverManager.registerDriver(new SampleDriver());
            ManagementFactory.getPlatformMBeanServer().registerMBean(
                    new StandardMBean((Runnable) () -> {}, Runnable.class),
                    new ObjectName("sample:name=" + System.getProperty("node.name")));
            java.security.Security.addProvider(new SampleProvider());
            new ServerSocket(0, 5, InetAddress.getLoopbackAddress());
            ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            FileChannel.open(Path.of(System.getProperty("user.dir"), "lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)
                    .lock();
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }

    private static void forever() {
        while (true) {
            try {
                Thread.sleep(3_600_000);
            } catch (Throwable ignored) {
                // This is the point: nothing that is thrown at it ends this loop.
            }
        }
    }

    private static void close(ServerSocket server) {
        try {
            server.close();
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
    }
}
