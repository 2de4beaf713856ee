package goldnode.jvm;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;

/** Prometheus metrics of the JVM and of every node, and readiness per node, over HTTP on loopback. */
final class Metrics {
    private final Nodes nodes;
    private final HttpServer server;

    /**
     * Listens on a loopback port.
     *
     * @throws IOException the port is taken
     */
    Metrics(int port, Nodes nodes) throws IOException {
        this.nodes = nodes;
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 16);
        server.createContext("/metrics", exchange -> reply(exchange, 200, text()));
        server.createContext("/ready/", this::readiness);
        server.start();
    }

    void close() {
        server.stop(0);
    }

    /** All metrics in Prometheus' text format. */
    String text() {
        StringBuilder out = new StringBuilder();
        Machine.figures(nodes).forEach((name, value) -> {
            out.append("# TYPE goldnode_jvm_").append(name).append(" gauge\n");
            out.append("goldnode_jvm_").append(name).append(' ').append(value).append('\n');
        });
        List<Map<String, Object>> status = nodes.status();
        family(out, "state", "gauge", status, node -> Stream.of(Node.State.values())
                .map(state -> state.name().toLowerCase())
                .map(state -> ",state=\"" + state + "\"} " + (state.equals(node.get("state")) ? 1 : 0)));
        family(out, "ready", "gauge", status, node -> Stream.of("} " + (Boolean.TRUE == node.get("ready") ? 1 : 0)));
        family(out, "threads", "gauge", status, node -> Stream.of("} " + node.get("threads")));
        family(out, "height", "gauge", status, node -> told(node, "height"));
        family(out, "peers", "gauge", status, node -> told(node, "peers"));
        family(out, "cpu_seconds_total", "counter", status,
                node -> Stream.of("} " + (long) node.get("cpu_millis") / 1000.0));
        family(out, "allocated_bytes_total", "counter", status, node -> told(node, "allocated_bytes"));
        family(out, "restarts_total", "counter", status, node -> Stream.of("} " + node.get("restarts")));
        return out.toString();
    }

    /** A figure that a node tells of itself; none where it does not. */
    private static Stream<String> told(Map<String, Object> node, String figure) {
        return (long) node.get(figure) < 0 ? Stream.empty() : Stream.of("} " + node.get(figure));
    }

    /** All samples of one metric; each is what stands behind the node's name: more labels, and the value. */
    private static void family(StringBuilder out, String name, String type, List<Map<String, Object>> status,
            Function<Map<String, Object>, Stream<String>> samples) {
        String metric = "goldnode_jvm_node_" + name;
        out.append("# TYPE ").append(metric).append(' ').append(type).append('\n');
        status.forEach(node -> samples.apply(node).forEach(sample -> out.append(metric).append("{node=\"")
                .append(node.get("name")).append('"').append(sample).append('\n')));
    }

    private void readiness(HttpExchange exchange) throws IOException {
        String name = exchange.getRequestURI().getPath().substring("/ready/".length());
        try {
            boolean ready = nodes.get(name).ready();
            reply(exchange, ready ? 200 : 503, ready ? "ready\n" : "not ready\n");
        } catch (IllegalArgumentException unknown) {
            reply(exchange, 404, unknown.getMessage() + "\n");
        }
    }

    private static void reply(HttpExchange exchange, int code, String text) throws IOException {
        byte[] body = text.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
        exchange.sendResponseHeaders(code, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }
}
