package sample;

import goldnode.jvm.Adapter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Holds a port while it runs, and writes into its home that it was started and stopped. */
public final class SampleAdapter implements Adapter {
    @Override
    public AutoCloseable start(String name, Path home, List<String> arguments) throws Exception {
        ServerSocket server = new ServerSocket(Integer.parseInt(arguments.get(0)), 50, InetAddress.getLoopbackAddress());
        Files.writeString(home.resolve("started"), name);
        return () -> {
            server.close();
            Files.writeString(home.resolve("stopped"), name);
        };
    }
}
