package goldnode.jvm;

import java.io.File;
import java.net.URLStreamHandler;
import java.net.URLStreamHandlerFactory;
import java.util.Deque;
import java.util.Hashtable;
import java.util.concurrent.ConcurrentLinkedDeque;

/** What one life of a node has in place of things that the JDK keeps once; gone with the life. */
public final class Belongings {
    /** The JDK's list of security providers, immutable: exchanged when the node adds or removes one. */
    volatile Object providers = JvmWide.providers();
    /** Handlers of URLs that the node has used, by protocol. */
    final Hashtable<String, URLStreamHandler> handlers = new Hashtable<>();
    /** Makes further ones; null until the node sets one. */
    public volatile URLStreamHandlerFactory factory;
    /** Files to delete when the node stops, the last one first. */
    public final Deque<File> deletions = new ConcurrentLinkedDeque<>();
    private final Owner owner;
    private NodeLogs.Own logs;

    Belongings(Owner owner) {
        this.owner = owner;
    }

    /**
     * The node's loggers of {@code java.util.logging}; first called on a thread of the node.
     *
     * <p>A log manager adds a shutdown hook that keeps it. Made by the node, the hook is the node's and ends with it;
     * made by the host, it would keep every life until the JVM ends.
     */
    synchronized NodeLogs.Own logs() {
        if (logs == null) {
            logs = new NodeLogs.Own(owner);
            logs.open();
        }
        return logs;
    }

    /** Deletes what the node asked to have deleted at its end. */
    void delete() {
        deletions.forEach(File::delete);
        synchronized (this) {
            if (logs != null) {
                logs.reset();
            }
        }
    }
}
