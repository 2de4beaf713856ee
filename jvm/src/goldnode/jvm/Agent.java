package goldnode.jvm;

import goldnode.jvm.Bodies.Load;
import java.io.IOException;
import java.io.InputStream;
import java.lang.instrument.ClassFileTransformer;
import java.lang.instrument.IllegalClassFormatException;
import java.lang.instrument.Instrumentation;
import java.lang.instrument.UnmodifiableClassException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.ProtectionDomain;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.SubmissionPublisher;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;

/**
 * Reaches the classes that no {@link NodeLoader} defines: those of loaders below it, and a few of the JDK.
 *
 * <p>Started by the JVM before {@link Host}, because the jar's manifest names it
 * ({@code Launcher-Agent-Class}); that needs no flag and prints no warning.
 */
public final class Agent implements ClassFileTransformer {
    private static final Map<Class<?>, Redirects> OF_THE_JDK = Map.of(
            Runtime.class, Redirects.JDK,
            CompletableFuture.class, Redirects.JDK,
            SubmissionPublisher.class, Redirects.JDK,
            ForkJoinPool.class, Redirects.COMMON_POOL);
    /** Methods of the JDK that tell the gate before they begin; the names are the JDK's own. */
    private static final Map<String, Map<String, Load>> TELLING = Map.of(
            "java.lang.InterruptedException", Map.of(
                    "<init>()V", Load.NOTHING,
                    "<init>(Ljava/lang/String;)V", Load.NOTHING),
            "sun.nio.ch.NioSocketImpl", Map.of(
                    "create(Z)V", Load.ITSELF,
                    "accept(Ljava/net/SocketImpl;)V", Load.ARGUMENT),
            "sun.nio.ch.ServerSocketChannelImpl", Map.of(
                    "bind(Ljava/net/SocketAddress;I)Ljava/nio/channels/ServerSocketChannel;", Load.ITSELF),
            "sun.nio.ch.SocketChannelImpl", Map.of("connect(Ljava/net/SocketAddress;)Z", Load.ITSELF),
            "sun.nio.ch.DatagramChannelImpl", Map.of(
                    "bind(Ljava/net/SocketAddress;)Ljava/nio/channels/DatagramChannel;", Load.ITSELF),
            "sun.nio.ch.AsynchronousServerSocketChannelImpl", Map.of(
                    "bind(Ljava/net/SocketAddress;I)Ljava/nio/channels/AsynchronousServerSocketChannel;", Load.ITSELF),
            "java.nio.channels.spi.AbstractSelectableChannel", Map.of(
                    "register(Ljava/nio/channels/Selector;ILjava/lang/Object;)Ljava/nio/channels/SelectionKey;",
                    Load.ITSELF),
            "sun.nio.ch.SelectorImpl", Map.of(
                    "register(Ljava/nio/channels/spi/AbstractSelectableChannel;ILjava/lang/Object;)"
                            + "Ljava/nio/channels/SelectionKey;", Load.ITSELF,
                    "lockAndDoSelect(Ljava/util/function/Consumer;J)I", Load.ITSELF),
            "sun.nio.ch.FileChannelImpl", Map.of(
                    "lock(JJZ)Ljava/nio/channels/FileLock;", Load.ITSELF,
                    "tryLock(JJZ)Ljava/nio/channels/FileLock;", Load.ITSELF));
    private static final String[] GATE = {"Gate", "Gate$Keeper"};

    private static Instrumentation instrumentation;

    private Agent() {}

    /** Called by the JVM before {@link Host}, and before it opens what the manifest says. */
    public static void agentmain(String arguments, Instrumentation given) {
        instrumentation = given;
    }

    /**
     * Leads the JDK to {@link goldnode.jvm.boot.Gate} and rewrites what loads from now on.
     *
     * @throws IllegalStateException the JVM did not start the agent, so that a node's plugin could end the JVM
     */
    static void install() throws IOException, ReflectiveOperationException, UnmodifiableClassException {
        if (instrumentation == null) {
            throw new IllegalStateException("this Java started no agent of the jar's manifest (Launcher-Agent-Class)");
        }
        initialize();
        instrumentation.appendToBootstrapClassLoaderSearch(gate());
        Keeper.serve();
        instrumentation.addTransformer(new Agent(), true);
        List<Class<?>> classes = new ArrayList<>(OF_THE_JDK.keySet());
        classes.addAll(List.of(CompletableFuture.class.getDeclaredClasses()));
        for (String name : TELLING.keySet()) {
            classes.add(Class.forName(name, true, null));
        }
        instrumentation.retransformClasses(classes.toArray(Class<?>[]::new));
    }

    /** Static fields of the JDK that keep the common pool have to get the JVM's own, not a node's. */
    private static void initialize() throws ClassNotFoundException {
        for (Class<?> type : OF_THE_JDK.keySet()) {
            Class.forName(type.getName(), true, null);
        }
    }

    @Override
    public byte[] transform(ClassLoader loader, String name, Class<?> redefined, ProtectionDomain domain,
            byte[] content) throws IllegalClassFormatException {
        try {
            if (loader == null && redefined != null && TELLING.containsKey(redefined.getName())) {
                return Bodies.announcing(content, TELLING.get(redefined.getName()));
            }
            if (ended(loader)) {
                return Bodies.refusing(content);
            }
            Redirects redirects = redirects(loader, redefined);
            byte[] result = redirects == null ? content : Rewriter.rewrite(content, redirects);
            return result == content ? null : result;
        } catch (ClassFormatError | RuntimeException fault) {
            System.err.println("goldnode: " + name + " keeps its calls of the JVM: " + fault);
            return null;
        }
    }

    /**
     * Lets no method of a node begin any more, and none of what its own loaders made.
     *
     * <p>What runs code of it in a loop that takes no interrupt comes to its end so; the node is over by then.
     */
    static synchronized void refuse(NodeLoader loader) {
        refuse(Stream.<Class<?>>of(instrumentation.getAllLoadedClasses())
                .filter(type -> NodeLoader.above(type.getClassLoader()) == loader && instrumentation.isModifiableClass(type))
                .toList());
    }

    /** A class that does not even link stays out, and no other because of it. */
    private static void refuse(List<Class<?>> classes) {
        try {
            instrumentation.retransformClasses(classes.toArray(Class<?>[]::new));
        } catch (UnmodifiableClassException | LinkageError | RuntimeException unlinked) {
            int half = classes.size() / 2;
            if (half > 0) {
                refuse(classes.subList(0, half));
                refuse(classes.subList(half, classes.size()));
            }
        }
    }

    private static boolean ended(ClassLoader loader) {
        NodeLoader node = NodeLoader.above(loader);
        return node != null && node.owner().over();
    }

    private static Redirects redirects(ClassLoader loader, Class<?> redefined) {
        if (loader == null) {
            Class<?> outer = redefined == null || redefined.getNestHost() == null ? redefined : redefined.getNestHost();
            return outer == null ? null : OF_THE_JDK.get(outer);
        }
        return loader instanceof NodeLoader || !NodeLoader.isBelow(loader) ? null : Redirects.PLUGIN;
    }

    /** A jar of the classes that the boot loader is to define, which are in ours; gone as soon as it is open. */
    private static JarFile gate() throws IOException {
        Path file = Files.createTempFile("goldnode-gate", ".jar");
        try (JarOutputStream jar = new JarOutputStream(Files.newOutputStream(file))) {
            for (String name : GATE) {
                String entry = "goldnode/jvm/boot/" + name + ".class";
                jar.putNextEntry(new ZipEntry(entry));
                try (InputStream content = Agent.class.getResourceAsStream("/" + entry)) {
                    content.transferTo(jar);
                }
            }
        }
        file.toFile().deleteOnExit();
        return new JarFile(file.toFile());
    }
}
