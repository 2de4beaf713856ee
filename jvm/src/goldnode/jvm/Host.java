package goldnode.jvm;

import java.io.IOException;
import java.io.PrintStream;
import java.lang.instrument.UnmodifiableClassException;
import java.nio.file.Path;

/**
 * The JVM host: several nodes in one Java virtual machine, each with classes and a lifecycle of its own.
 *
 * <p>{@code java -jar goldnode-jvm.jar NODES SOCKET PORT}: the folder with one file per node, the
 * control socket to make, and the loopback port of the metrics. Started by goldnode-jvm.service;
 * how it is used stands in docs/multi-node.md.
 */
public final class Host {
    private Host() {}

    /** Starts every node and serves commands until SIGTERM. */
    public static void main(String[] arguments)
            throws IOException, InterruptedException, ReflectiveOperationException, UnmodifiableClassException {
        if (arguments.length != 3) {
            System.err.println("usage: java -jar goldnode-jvm.jar NODES SOCKET PORT");
            System.exit(2);
        }
        SharedThreads.prepare();
        Agent.install();
        JvmWide.install();
        Thread.setDefaultUncaughtExceptionHandler(Host::uncaught);
        System.setOut(RoutedOutput.over(new PrintStream(System.out, true)));
        System.setErr(RoutedOutput.over(new PrintStream(System.err, true)));
        Nodes nodes = new Nodes(Path.of(arguments[0]));
        Metrics metrics = new Metrics(Integer.parseInt(arguments[2]), nodes);
        Control control = new Control(Path.of(arguments[1]), nodes);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> close(nodes, metrics, control), "shutdown"));
        Heap.watch(nodes);
        nodes.startAll();
        control.serve();
    }

    /** What ends a thread that is in no group of a node, such as a virtual one. */
    private static void uncaught(Thread thread, Throwable error) {
        if (error instanceof NodeExit) {
            return;
        }
        if (Keeper.caller() instanceof Life life) {
            life.uncaught(thread, error);
        } else {
            System.err.print("Exception in thread \"" + thread.getName() + "\" ");
            error.printStackTrace();
        }
    }

    private static void close(Nodes nodes, Metrics metrics, Control control) {
        try {
            nodes.stopAll();
            metrics.close();
            control.close();
        } catch (IOException | InterruptedException error) {
            System.err.println("goldnode: " + error);
        }
    }
}
