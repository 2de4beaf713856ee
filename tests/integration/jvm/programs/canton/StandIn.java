package canton;

import io.grpc.Server;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.services.HealthStatusManager;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Stands in for Canton, whose release archive is not to be had here: one process, several participants, each with
 * a port of its own and gRPC's health service, as Splice deploys them. It is no ledger.
 *
 * <p>Words are {@code NAME=PORT}, one for each participant. One is not serving as long as a file NAME.down lies in
 * the folder that the property {@code standin.folder} names.
 */
public final class StandIn {
    private StandIn() {}

    public static void main(String[] arguments) throws IOException, InterruptedException {
        Path folder = Path.of(System.getProperty("standin.folder"));
        List<Server> servers = new ArrayList<>();
        List<String> names = new ArrayList<>();
        List<HealthStatusManager> healths = new ArrayList<>();
        for (String word : arguments) {
            HealthStatusManager health = new HealthStatusManager();
            int port = Integer.parseInt(word.split("=")[1]);
            servers.add(NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), port))
                    .addService(health.getHealthService()).build().start());
            names.add(word.split("=")[0]);
            healths.add(health);
        }
        Runtime.getRuntime().addShutdownHook(new Thread(() -> servers.forEach(Server::shutdownNow)));
        while (!Thread.currentThread().isInterrupted()) {
            for (int index = 0; index < names.size(); index++) {
                boolean down = Files.exists(folder.resolve(names.get(index) + ".down"));
                healths.get(index).setStatus("", down ? ServingStatus.NOT_SERVING : ServingStatus.SERVING);
            }
            try {
                Thread.sleep(100);
            } catch (InterruptedException over) {
                return;
            }
        }
    }
}
