package goldnode.jvm;

import java.io.PrintStream;
import java.util.Properties;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import javax.management.MBeanServer;

/** What the code of a node reaches instead of the JVM; {@link goldnode.jvm.inside.Self} is its face inside. */
public interface Owner {
    /**
     * Ends the calling node, not the JVM; like the call it stands for, it does not return.
     *
     * <p>So does {@code halt}: shutdown hooks run after it too, for here no process ends whose sockets
     * and files would be closed by the kernel.
     */
    void exit(int code);

    /** Runs when the node stops, as a shutdown hook of a JVM of its own would. */
    void addHook(Thread hook);

    /** What the node has in place of the JVM's common pool. */
    ForkJoinPool pool();

    /** Runs work later, on the node's own timer. */
    ScheduledFuture<?> delay(Runnable work, long delay, TimeUnit unit);

    /** Takes a hook back; false when it was not there. */
    boolean removeHook(Thread hook);

    /** Whether nothing of the node may run any more. */
    boolean over();

    /** What the node has in place of further things that the JDK keeps once. */
    Belongings own();

    /** The node's own view of the system properties, to read and to change. */
    Properties properties();

    /** The bean server: the JVM's beans and the node's own. */
    MBeanServer beans();

    /** Where the node's output goes. */
    PrintStream out();

    /** Who hears of exceptions that none of the node's code caught; null for nobody. */
    void setDefaultHandler(Thread.UncaughtExceptionHandler handler);

    /** The handler set before; null when there is none. */
    Thread.UncaughtExceptionHandler defaultHandler();
}
