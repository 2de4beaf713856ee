package goldnode.jvm;

import java.io.PrintStream;
import java.util.Properties;
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

    /** Takes a hook back; false when it was not there. */
    boolean removeHook(Thread hook);

    /** The node's own view of the system properties, to read and to change. */
    Properties properties();

    /** The platform's bean server, which forgets the node's beans when the node stops. */
    MBeanServer beans();

    /** Where the node's output goes. */
    PrintStream out();

    /** Who hears of exceptions that none of the node's code caught; null for nobody. */
    void setDefaultHandler(Thread.UncaughtExceptionHandler handler);

    /** The handler set before; null when there is none. */
    Thread.UncaughtExceptionHandler defaultHandler();
}
