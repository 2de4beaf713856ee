package goldnode.jvm;

import java.nio.file.Path;
import java.util.List;

/**
 * Starts and stops one program that has a better way than its {@code main}.
 *
 * <p>A plain {@code main} needs none: it is ended by its shutdown hooks and by interrupts, as SIGTERM
 * would. An adapter is loaded by the node's own loader, with the program's classes in sight, from
 * {@code goldnode.jvm.adapters} or from the network's jars, and needs a constructor without arguments.
 */
public interface Adapter {
    /**
     * Starts the node and returns when it serves; called once, on a thread of the node.
     *
     * @param name the node's name
     * @param home its directory, which exists
     * @param arguments what the network file says, as a {@code main} would get them
     * @return what stops it; called once, at most, on another thread of the node
     */
    AutoCloseable start(String name, Path home, List<String> arguments) throws Exception;
}
