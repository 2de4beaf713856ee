package goldnode.network;

import io.hotmoka.crypto.HashingAlgorithms;
import io.hotmoka.crypto.SignatureAlgorithms;
import io.hotmoka.crypto.api.SignatureAlgorithm;
import io.mokamint.application.AbstractApplication;
import io.mokamint.application.api.UnknownGroupIdException;
import io.mokamint.miner.local.LocalMiners;
import io.mokamint.node.Peers;
import io.mokamint.node.api.Block;
import io.mokamint.node.api.PeerInfo;
import io.mokamint.node.api.Transaction;
import io.mokamint.node.local.LocalNodeConfigBuilders;
import io.mokamint.node.local.LocalNodes;
import io.mokamint.node.local.api.LocalNode;
import io.mokamint.node.service.PublicNodeServices;
import io.mokamint.nonce.Prologs;
import io.mokamint.nonce.api.Deadline;
import io.mokamint.plotter.PlotAndKeyPairs;
import io.mokamint.plotter.Plots;
import io.mokamint.plotter.api.Plot;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.reflect.Field;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.management.JMException;
import javax.management.ObjectName;
import jetbrains.exodus.core.execution.JobProcessor;
import jetbrains.exodus.core.execution.ThreadJobProcessorPool;

/**
 * A Mokamint node that mines: the chain's libraries have no program of their own.
 *
 * <p>{@code --found=0} begins a new chain where there is neither a key nor a chain; every other node follows its
 * peers. {@code --peers} are addresses with ports, separated by commas, which are dialled until they answer.
 * Where another option stands twice, the last one holds.
 */
public final class Mokamint {
    private static final int SECOND = 1000;
    private static final int NONCES = 12;

    private Mokamint() {}

    /** What the JVM host and people see of the node, by JMX. */
    public interface ChainMXBean {
        /** Height of the head; -1 while there is none. */
        long getHeight();

        /** Hash of the head, in hex. */
        String getHead();

        /** Peers that are connected. */
        int getPeers();

        /** Whether the node has a chain to work on. */
        boolean isReady();
    }

    /** A state that no transaction changes: what is shown here is consensus. */
    private static final class Empty extends AbstractApplication {
        private static final byte[] STATE = new byte[32];
        private final AtomicInteger groups = new AtomicInteger();

        @Override
        public boolean checkPrologExtra(byte[] extra) {
            return extra.length == 0;
        }

        @Override
        public void checkTransaction(Transaction transaction) {}

        @Override
        public long getPriority(Transaction transaction) {
            return 0;
        }

        @Override
        public String getRepresentation(Transaction transaction) {
            return HexFormat.of().formatHex(transaction.getBytes());
        }

        @Override
        public byte[] getInitialStateId() {
            return STATE.clone();
        }

        @Override
        public int beginBlock(long height, LocalDateTime time, byte[] state) {
            return groups.incrementAndGet();
        }

        @Override
        public void deliverTransaction(int group, Transaction transaction) throws UnknownGroupIdException {}

        @Override
        public byte[] endBlock(int group, Deadline deadline) {
            return STATE.clone();
        }

        @Override
        public void commitBlock(int group) {}

        @Override
        public void abortBlock(int group) {}

        @Override
        public void keepFrom(LocalDateTime start) {}

        @Override
        public void publish(Block block) {}
    }

    /** The node as JMX shows it. */
    private record Chain(LocalNode node) implements ChainMXBean {
        @Override
        public long getHeight() {
            return asked(() -> node.getChainInfo().getLength() - 1, -1L);
        }

        @Override
        public String getHead() {
            return asked(() -> node.getChainInfo().getHeadHash().map(HexFormat.of()::formatHex).orElse(""), "");
        }

        @Override
        public int getPeers() {
            return asked(() -> (int) node.getPeerInfos().filter(PeerInfo::isConnected).count(), 0);
        }

        @Override
        public boolean isReady() {
            return getHeight() >= 0;
        }
    }

    private interface Question<T> {
        T ask() throws Exception;
    }

    private static <T> T asked(Question<T> question, T otherwise) {
        try {
            return question.ask();
        } catch (Exception closed) { // a node that ends has nothing to show
            return otherwise;
        }
    }

    /** Runs a node until its JVM ends. */
    public static void main(String[] arguments) throws Exception {
        Path home = Path.of(value(arguments, "home").orElseThrow());
        String chain = value(arguments, "chain").orElseThrow();
        int port = Integer.parseInt(value(arguments, "port").orElseThrow());
        Set<URI> peers = values(arguments, "peers").flatMap(list -> Arrays.stream(list.split(",")))
                .filter(peer -> !peer.isEmpty()).map(peer -> URI.create("ws://" + peer))
                .collect(Collectors.toCollection(TreeSet::new));
        Path data = home.resolve("chain");
        Path key = home.resolve("node.key");
        boolean found = value(arguments, "found").orElse("").equals("0") && Files.notExists(data) && Files.notExists(key);
        SignatureAlgorithm ed25519 = SignatureAlgorithms.ed25519();
        KeyPair keys = keys(key, ed25519);
        List<AutoCloseable> parts = new CopyOnWriteArrayList<>(); // what there is to close, also when the start fails
        Runtime.getRuntime().addShutdownHook(new Thread(() -> close(parts), "close"));
        Plot plot = plot(home.resolve("plot"), chain, ed25519, keys);
        var settings = LocalNodeConfigBuilders.defaults().setDir(data).setChainId(chain)
                .setTargetBlockCreationTime(Integer.parseInt(value(arguments, "block").orElse("10")) * SECOND)
                .setPeerPingInterval(10 * SECOND).setSynchronizationInterval(20 * SECOND)
                // With room for further peers, a node asks each of its own for them, and holds these locked meanwhile:
                // two that ask each other wait until both give up, and ten follow no head. Whom it dials or hears of
                // is added all the same.
                .setMaxPeers(0);
        LocalNode node = LocalNodes.of(settings.build(), keys, new Empty(), found);
        var service = PublicNodeServices.open(node, port, 30 * SECOND, 1000,
                Optional.of(URI.create("ws://" + value(arguments, "address").orElse("127.0.0.1") + ":" + port)));
        var miner = LocalMiners.of(PlotAndKeyPairs.of(plot, keys));
        node.add(miner);
        show(node);
        Thread dialling = new Thread(() -> dial(node, peers), "dial");
        dialling.start();
        parts.addAll(List.of(dialling::interrupt, service, miner));
        parts.addAll(List.of(node, plot));
    }

    private static Optional<String> value(String[] arguments, String name) {
        return values(arguments, name).reduce((first, last) -> last);
    }

    private static Stream<String> values(String[] arguments, String name) {
        String prefix = "--" + name + "=";
        return Arrays.stream(arguments).filter(word -> word.startsWith(prefix))
                .map(word -> word.substring(prefix.length()));
    }

    private static KeyPair keys(Path file, SignatureAlgorithm signature) throws IOException, GeneralSecurityException {
        if (Files.notExists(file)) {
            KeyPair made = signature.getKeyPair();
            List<String> lines = new ArrayList<>();
            lines.add(HexFormat.of().formatHex(signature.encodingOf(made.getPublic())));
            lines.add(HexFormat.of().formatHex(signature.encodingOf(made.getPrivate())));
            Path draft = Files.createTempFile(file.getParent(), "key", "",
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
            Files.write(draft, lines);
            Files.move(draft, file, StandardCopyOption.ATOMIC_MOVE);
        }
        List<String> lines = Files.readAllLines(file);
        return new KeyPair(signature.publicKeyFromEncoding(HexFormat.of().parseHex(lines.get(0))),
                signature.privateKeyFromEncoding(HexFormat.of().parseHex(lines.get(1))));
    }

    private static Plot plot(Path file, String chain, SignatureAlgorithm signature, KeyPair keys)
            throws IOException, GeneralSecurityException {
        if (Files.notExists(file)) {
            Path draft = file.resolveSibling("plot.draft");
            Files.deleteIfExists(draft);
            var prolog = Prologs.of(chain, signature, keys.getPublic(), signature, keys.getPublic(), new byte[0]);
            Plots.create(draft, prolog, 0, NONCES, HashingAlgorithms.shabal256(), percent -> {}).close();
            Files.move(draft, file, StandardCopyOption.ATOMIC_MOVE);
        }
        return Plots.load(file);
    }

    private static void show(LocalNode node) throws JMException {
        ManagementFactory.getPlatformMBeanServer().registerMBean(new Chain(node), new ObjectName("goldnode:type=Chain"));
    }

    /** Peers may start later than this node, or come back. */
    private static void dial(LocalNode node, Set<URI> peers) {
        try {
            while (true) {
                Set<URI> connected = node.getPeerInfos().filter(PeerInfo::isConnected)
                        .map(info -> info.getPeer().getURI()).collect(Collectors.toSet());
                for (URI peer : peers) {
                    if (!connected.contains(peer)) {
                        asked(() -> node.add(Peers.of(peer)), Optional.empty());
                    }
                }
                Thread.sleep(5 * SECOND);
            }
        } catch (Exception ended) { // interrupted, or the node is closed
            return;
        }
    }

    /** Closes everything; the database's own threads take no interrupt, and would outlive the node in a shared JVM. */
    private static void close(List<AutoCloseable> parts) {
        for (AutoCloseable part : parts) {
            try {
                part.close();
            } catch (Exception error) { // the others are closed all the same
                error.printStackTrace();
            }
        }
        ThreadJobProcessorPool.getProcessors().forEach(JobProcessor::finish);
        try {
            Field spawner = ThreadJobProcessorPool.class.getDeclaredField("SPAWNER");
            spawner.setAccessible(true);
            ((JobProcessor) spawner.get(null)).finish();
        } catch (ReflectiveOperationException other) { // another version of the database, whose threads we do not know
            other.printStackTrace();
        }
    }
}
