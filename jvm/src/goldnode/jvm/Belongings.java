package goldnode.jvm;

import java.io.Closeable;
import java.io.File;
import java.io.IOException;
import java.lang.reflect.Method;
import java.net.SocketImpl;
import java.net.URLStreamHandler;
import java.net.URLStreamHandlerFactory;
import java.nio.channels.Channel;
import java.nio.channels.Selector;
import java.util.Collections;
import java.util.Deque;
import java.util.Hashtable;
import java.util.List;
import java.util.Set;
import java.util.WeakHashMap;
import java.util.concurrent.ConcurrentLinkedDeque;

/** What one life of a node has in place of things that the JDK keeps once; gone with the life. */
public final class Belongings {
    private static final Method CLOSE = closing();

    /** The JDK's list of security providers, immutable: exchanged when the node adds or removes one. */
    volatile Object providers = JvmWide.providers();
    /** Handlers of URLs that the node has used, by protocol. */
    final Hashtable<String, URLStreamHandler> handlers = new Hashtable<>();
    /** Makes further ones; null until the node sets one. */
    public volatile URLStreamHandlerFactory factory;
    /** Files to delete when the node stops, the last one first. */
    public final Deque<String> deletions = new ConcurrentLinkedDeque<>();
    /** Sockets, channels and selectors that it used, and files that it locked; those that it forgets leave by themselves. */
    final Set<Object> opened = Collections.newSetFromMap(Collections.synchronizedMap(new WeakHashMap<>()));
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

    /**
     * Closes what the node left open, as the kernel would at the end of its process.
     *
     * @param selectors also those; a thread that still waits at one may make another in its place, again and again
     * @return what it was, as far as it was still open
     */
    List<String> close(boolean selectors) {
        List<Object> all;
        synchronized (opened) {
            all = List.copyOf(opened);
        }
        return all.stream()
                .filter(resource -> selectors || !(resource instanceof Selector))
                .filter(Belongings::close)
                .map(Object::toString)
                .sorted()
                .toList();
    }

    private static boolean close(Object resource) {
        try {
            if (resource instanceof SocketImpl socket) {
                CLOSE.invoke(socket);
                return false; // it does not tell whether it was closed before
            }
            boolean open = resource instanceof Channel channel && channel.isOpen()
                    || resource instanceof Selector selector && selector.isOpen();
            ((Closeable) resource).close();
            return open;
        } catch (IOException | ReflectiveOperationException | RuntimeException refused) {
            return false; // what holds on to it is named as stuck
        }
    }

    private static Method closing() {
        try {
            Method close = SocketImpl.class.getDeclaredMethod("close");
            close.setAccessible(true);
            return close;
        } catch (NoSuchMethodException moved) {
            throw new IllegalStateException("this Java closes its sockets by another name", moved);
        }
    }

    /** Deletes what the node asked to have deleted at its end. */
    void delete() {
        deletions.forEach(path -> new File(path).delete());
        synchronized (this) {
            if (logs != null) {
                logs.reset();
            }
        }
    }
}
