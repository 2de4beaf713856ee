package goldnode.jvm;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;

/** All nodes of this JVM, by name. */
final class Nodes {
    private final Map<String, Node> nodes = new ConcurrentSkipListMap<>();
    private final ThreadGroup parent = Thread.currentThread().getThreadGroup();
    private final Path folder;

    Nodes(Path folder) {
        this.folder = folder;
    }

    /** Adds and starts every node that has a file; one that is wrong is named and left out. */
    void startAll() throws IOException {
        for (String name : Spec.names(folder)) {
            try {
                add(name);
            } catch (IllegalArgumentException | IllegalStateException error) {
                System.err.println("goldnode: " + error.getMessage());
            }
        }
    }

    /** Stops every node, all at the same time: one that blocks must not use up its siblings' time. */
    void stopAll() throws InterruptedException {
        List<Thread> stops = all().stream().map(node -> new Thread(() -> stop(node), "stop-" + node.name())).toList();
        stops.forEach(Thread::start);
        for (Thread stop : stops) {
            stop.join();
        }
    }

    private static void stop(Node node) {
        try {
            node.stop();
        } catch (IllegalStateException stuck) {
            System.err.println("goldnode: " + stuck.getMessage());
        }
    }

    String add(String name) {
        Node node = new Node(name, folder, parent);
        if (nodes.putIfAbsent(name, node) != null) {
            node.remove();
            throw new IllegalStateException(name + " is there already");
        }
        return node.start();
    }

    String remove(String name) {
        String answer = get(name).remove();
        nodes.remove(name);
        return answer;
    }

    /** The node of that name. */
    Node get(String name) {
        Node node = nodes.get(name);
        if (node == null) {
            throw new IllegalArgumentException("there is no node \"" + name + "\" here, only " + nodes.keySet());
        }
        return node;
    }

    List<Node> all() {
        return List.copyOf(nodes.values());
    }

    List<Map<String, Object>> status() {
        return all().stream().map(Node::status).toList();
    }
}
