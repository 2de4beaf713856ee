package goldnode.jvm;

import com.sun.management.HotSpotDiagnosticMXBean;
import java.io.File;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * Ends the JVM when its heap is spent, and only then: a node that asks for too much at once is told so by
 * the JDK, and its siblings never notice.
 *
 * <p>{@code -XX:+ExitOnOutOfMemoryError} cannot tell the two apart. Here a small allocation is tried each
 * second; when it fails twice in a row, no node can work any more, and a fresh start is the only way out.
 *
 * <p>Nothing may be needed for the first time then, when no class can be loaded: all of it is done once at
 * the start. And whatever spends the heap goes on while we speak, so each step is tried again for a while.
 */
final class Heap implements Runnable {
    /** What the service's manager sees as the reason. */
    static final int SPENT = 3;

    private static final int PROBE = 256 << 10;
    private static final int RESERVE = 4 << 20;
    private static final long PAUSE_MILLIS = 1000;
    private static final int SAMPLE_EVERY = 10;
    private static final int TRIES = 2000;

    private final Nodes nodes;
    private final HotSpotDiagnosticMXBean diagnostic =
            ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
    private final MethodHandle halt = Keeper.halting();
    private final Supplier<String> lately = this::lately;
    private final Supplier<String> dump = this::dumped;
    private final Supplier<String> tell = this::told;
    private final FileOutputStream error = new FileOutputStream(FileDescriptor.err);
    private String who = "";
    private String where = "";
    private boolean prepared;
    private Map<String, Long> before = Map.of();
    private byte[] reserve = new byte[RESERVE];
    private volatile Object probe;

    Heap(Nodes nodes) {
        this.nodes = nodes;
    }

    /** Watches from now on, on a thread of the host's. */
    static void watch(Nodes nodes) {
        Heap heap = new Heap(nodes);
        heap.prepare();
        Thread thread = new Thread(heap, "heap-watch");
        thread.setDaemon(true);
        thread.setPriority(Thread.MAX_PRIORITY);
        thread.start();
    }

    @Override
    public void run() {
        int failures = 0;
        for (int round = 0; failures < 2; round++) {
            failures = works(round % SAMPLE_EVERY == 0) ? 0 : failures + 1;
            try {
                Thread.sleep(PAUSE_MILLIS);
            } catch (InterruptedException interrupted) {
                return;
            }
        }
        end();
    }

    /** Does once, and in vain, all that the end needs. */
    private void prepare() {
        who = retried(lately, "");
        where = retried(dump, "");
        retried(tell, "");
        where = "";
        try {
            invoke(MethodHandles.lookup().findStatic(
                    Heap.class, "nothing", MethodType.methodType(void.class, int.class)), SPENT);
        } catch (ReflectiveOperationException impossible) {
            throw new IllegalStateException(impossible);
        }
        prepared = true;
    }

    private boolean works(boolean sample) {
        try {
            probe = new byte[PROBE];
            probe = null;
            if (sample) {
                before = allocated();
            }
            return true;
        } catch (OutOfMemoryError full) {
            return false;
        }
    }

    private void end() {
        try {
            reserve = null; // room for what follows
            who = retried(lately, "unknown");
            retried(tell, "");
            where = retried(dump, "there is no heap dump: the heap left no room for it");
            retried(tell, "");
        } catch (Throwable full) {
            // Whatever was not said stays unsaid: the end comes all the same.
        }
        while (true) {
            invoke(halt, SPENT);
        }
    }

    private static void nothing(int code) {}

    /** The JDK's own halt: the way of {@link Runtime} asks whose call it is, which takes memory. */
    private static void invoke(MethodHandle method, int code) {
        try {
            method.invokeExact(code);
        } catch (Throwable full) { // an OutOfMemoryError: whoever calls tries again
            Thread.onSpinWait();
        }
    }

    /** Writes past {@link System#err}, which asks whose output it is: that takes memory. */
    private String told() {
        String text = where.isEmpty()
                ? "goldnode: the heap is spent: nothing fits into its " + (Runtime.getRuntime().maxMemory() >> 20)
                        + " MiB any more. Lately allocated: " + who + ". All nodes start again with a new JVM\n"
                : "goldnode: the heap is spent: " + where + "\n";
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        if (prepared) {
            try {
                error.write(bytes);
            } catch (IOException closed) {
                return "nobody listens";
            }
        }
        return text;
    }

    private static String retried(Supplier<String> step, String otherwise) {
        for (int attempt = 0; attempt < TRIES; attempt++) {
            try {
                return step.get();
            } catch (OutOfMemoryError again) {
                Thread.onSpinWait();
            }
        }
        return otherwise;
    }

    /** Every node with what it allocated since the last sample, the largest first. */
    private String lately() {
        Map<String, Long> now = allocated();
        return now.entrySet().stream()
                .map(node -> Map.entry(node.getKey(), Math.max(0, node.getValue() - before.getOrDefault(node.getKey(), 0L))))
                .sorted(Map.Entry.<String, Long>comparingByValue().reversed())
                .map(node -> node.getKey() + " " + (node.getValue() >> 20) + " MiB")
                .collect(Collectors.joining(", "));
    }

    private Map<String, Long> allocated() {
        Map<String, Long> bytes = new HashMap<>();
        nodes.all().forEach(node -> bytes.put(node.name(), node.allocated()));
        return bytes;
    }

    /** Writes the heap beside the nodes' logs, in place of an older one; it holds keys, and only its owner reads it. */
    private String dumped() {
        List<Node> all = nodes.all();
        File folder = all.isEmpty() ? new File(System.getProperty("java.io.tmpdir")) : all.get(0).logs().toFile();
        Path file = folder.toPath().resolve(prepared ? "heap.hprof" : ".heap-dry-run");
        if (folder.getUsableSpace() < 3 * Runtime.getRuntime().maxMemory()) {
            return refused(folder + " has too little room");
        }
        try {
            Files.deleteIfExists(file);
            if (!prepared) {
                return refused("this is a dry run");
            }
            diagnostic.dumpHeap(file.toString(), true);
            return "what filled it is in " + file + ", which holds keys: delete it after use";
        } catch (IOException | RuntimeException error) {
            return refused(String.valueOf(error.getMessage()));
        }
    }

    private static String refused(String why) {
        return "there is no heap dump: " + why;
    }
}
