package goldnode.jvm;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * Commands over a unix socket: one line in, one line of JSON out, then the connection closes.
 *
 * <p>Whoever may open the socket may command; it belongs to the service's user and group.
 */
final class Control {
    private static final int LONGEST = 256;
    private static final int RETRY_MILLIS = 1000;

    private final Nodes nodes;
    private final Path path;
    private final ServerSocketChannel server;
    private final ExecutorService workers = Executors.newCachedThreadPool(work -> {
        Thread thread = new Thread(work, "control-socket");
        thread.setDaemon(true);
        return thread;
    });

    Control(Path path, Nodes nodes) throws IOException {
        this.nodes = nodes;
        this.path = path;
        Files.deleteIfExists(path); // left by a process that was killed
        server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(path));
        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-rw----"));
    }

    /**
     * Serves until {@link #close}, also while the nodes have every file open, or every thread, that the JVM may have.
     *
     * <p>One descriptor is kept for that: without it nobody could stop the node that took them.
     */
    void serve() throws IOException, InterruptedException {
        FileChannel spare = spare();
        while (server.isOpen()) {
            try {
                begin(server.accept());
            } catch (ClosedChannelException closed) {
                break;
            } catch (IOException full) {
                System.err.println("goldnode: commands are answered one by one: " + full.getMessage());
                if (spare != null) {
                    spare.close();
                }
                try (SocketChannel client = server.accept()) {
                    handle(client);
                } catch (IOException taken) {
                    Thread.sleep(RETRY_MILLIS);
                }
                spare = spare();
            }
        }
        workers.shutdown();
    }

    private void begin(SocketChannel client) {
        try {
            workers.execute(() -> handle(client));
        } catch (OutOfMemoryError noThread) {
            handle(client);
        }
    }

    private static FileChannel spare() {
        try {
            return FileChannel.open(Path.of("/dev/null"));
        } catch (IOException taken) {
            return null; // a node was quicker
        }
    }

    void close() throws IOException {
        server.close();
        Files.deleteIfExists(path);
    }

    private void handle(SocketChannel client) {
        try (client) {
            BufferedReader reader = new BufferedReader(
                    new InputStreamReader(Channels.newInputStream(client), StandardCharsets.UTF_8), LONGEST);
            String answer = Json.of(answer(line(reader))) + "\n";
            client.write(ByteBuffer.wrap(answer.getBytes(StandardCharsets.UTF_8)));
        } catch (IOException gone) {
            System.err.println("goldnode: a client of the control socket went away: " + gone.getMessage());
        }
    }

    private static String line(BufferedReader reader) throws IOException {
        StringBuilder line = new StringBuilder();
        for (int letter = reader.read(); letter >= 0 && letter != '\n' && line.length() < LONGEST;
                letter = reader.read()) {
            line.append((char) letter);
        }
        return line.toString().strip();
    }

    /** What a command line is answered with; {@code ok} says whether it was done. */
    Map<String, Object> answer(String line) {
        String[] words = line.split(" +", 2);
        try {
            return new TreeMap<>(done(words[0], words.length > 1 ? words[1] : ""));
        } catch (IllegalArgumentException | IllegalStateException error) {
            return new TreeMap<>(Map.of("ok", false, "message", String.valueOf(error.getMessage())));
        } catch (RuntimeException fault) { // ours: whoever asked hears of it, and the journal has the trace
            fault.printStackTrace();
            return new TreeMap<>(Map.of("ok", false, "message", "a fault of the JVM host: " + fault));
        }
    }

    private Map<String, Object> done(String command, String name) {
        return switch (command) {
            case "list" -> Map.of("ok", true, "names", nodes.all().stream().map(Node::name).toList());
            case "status" -> Map.of("ok", true, "nodes", nodes.status(), "jvm", Machine.figures(nodes));
            case "measure" -> Map.of("ok", true, "jvm", Machine.settled(nodes));
            case "threads" -> said(nodes.get(name).dump());
            case "log" -> said(nodes.get(name.split(" ", 2)[0]).logAt(name.contains(" ") ? name.split(" ", 2)[1] : ""));
            case "start" -> said(nodes.get(name).start());
            case "stop" -> said(nodes.get(name).stop());
            case "restart" -> said(nodes.get(name).restart());
            case "add" -> said(nodes.add(name));
            case "remove" -> said(nodes.remove(name));
            default -> throw new IllegalArgumentException("unknown command \"" + command
                    + "\": list, status, measure, or start, stop, restart, add, remove, threads and a name, or log NAME LEVEL");
        };
    }

    private static Map<String, Object> said(String message) {
        return Map.of("ok", true, "message", message);
    }
}
