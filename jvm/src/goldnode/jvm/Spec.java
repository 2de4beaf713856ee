package goldnode.jvm;

import java.io.IOException;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * What one node is: the content of {@code NAME.properties} in the host's folder of nodes.
 *
 * <p>goldnode/node/jvm/jvm.py writes these files; keys are in docs/multi-node.md.
 *
 * @param name the node's name, the file's name without its ending
 * @param main class whose {@code main} starts it; empty when an adapter does
 * @param adapter class that implements {@link Adapter}; empty when {@code main} is enough
 * @param jars the class path, in order
 * @param home the node's directory, made when missing
 * @param log file that takes what the node prints
 * @param arguments what the program is given
 * @param properties system properties that only this node sees
 * @param readyPort loopback port that accepts connections when the node is ready; 0 for none
 * @param readyByGrpc whether such a port tells by gRPC's health service, instead of by accepting connections
 * @param inside nodes that the program hosts by itself: name to the port that tells, 0 for none
 * @param logLevel how much it logs, as {@link LogLevel} has it; empty for the program's own choice
 * @param stopSeconds how long each phase of a stop may take
 * @param restartSeconds pause before the first restart of a node that ended by itself
 */
record Spec(
        String name,
        String main,
        String adapter,
        List<Path> jars,
        Path home,
        Path log,
        List<String> arguments,
        Map<String, String> properties,
        int readyPort,
        boolean readyByGrpc,
        Map<String, Integer> inside,
        String logLevel,
        int stopSeconds,
        int restartSeconds) {

    private static final String ENDING = ".properties";
    private static final String NAME = "[a-z][a-z0-9-]{0,31}";

    /**
     * Reads one node's file.
     *
     * @throws IllegalArgumentException the file is missing or wrong; every fault of it is named
     */
    static Spec read(Path folder, String name) {
        if (!name.matches(NAME)) {
            throw new IllegalArgumentException(
                    "\"" + name + "\" is no name of a node: a small letter, then small letters, digits and -");
        }
        Path file = folder.resolve(name + ENDING);
        Properties lines = new Properties();
        try (Reader reader = Files.newBufferedReader(file, StandardCharsets.UTF_8)) {
            lines.load(reader);
        } catch (NoSuchFileException missing) {
            throw new IllegalArgumentException("there is no node " + name + ": " + file + " does not exist");
        } catch (IOException | IllegalArgumentException error) {
            throw new IllegalArgumentException(file + " cannot be read: " + error.getMessage());
        }
        return new Fields(file, lines).spec(name);
    }

    /** Names of all nodes that have a file in the folder, sorted. */
    static List<String> names(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> name.endsWith(ENDING))
                    .map(name -> name.substring(0, name.length() - ENDING.length()))
                    .sorted()
                    .toList();
        }
    }

    /** Takes a file's keys out one by one; what is left at the end is unknown. */
    private static final class Fields {
        private final Path file;
        private final Map<String, String> left = new TreeMap<>();
        private final List<String> faults = new ArrayList<>();

        Fields(Path file, Properties lines) {
            this.file = file;
            lines.forEach((key, value) -> left.put((String) key, ((String) value).strip()));
        }

        Spec spec(String name) {
            String main = take("main", "");
            String adapter = take("adapter", "");
            if (main.isEmpty() == adapter.isEmpty()) {
                faults.add("exactly one of main and adapter has to be set");
            }
            List<Path> jars = Stream.of(required("jars").split(":")).map(Path::of).toList();
            jars.stream().filter(jar -> !Files.isReadable(jar)).forEach(jar -> faults.add("jars: no file " + jar));
            Path home = Path.of(required("home"));
            Path log = Path.of(required("log"));
            List<String> arguments = new ArrayList<>();
            for (int index = 1; left.containsKey("argument." + index); index++) {
                arguments.add(left.remove("argument." + index));
            }
            Map<String, String> properties = new TreeMap<>();
            left.keySet().removeIf(key -> key.startsWith("property.")
                    && properties.put(key.substring("property.".length()), left.get(key)) == null);
            Map<String, Integer> inside = new TreeMap<>();
            for (String key : List.copyOf(left.keySet())) {
                if (key.startsWith("inside.")) {
                    inside.put(key.substring("inside.".length()), number(key, 0));
                }
            }
            String kind = take("ready.kind", "tcp");
            if (!List.of("tcp", "grpc").contains(kind)) {
                faults.add("ready.kind: " + kind + " is neither tcp nor grpc");
            }
            String level = take("log.level", "");
            if (!level.isEmpty() && !LogLevel.NAMES.contains(level)) {
                faults.add("log.level: " + level + " is none of " + LogLevel.NAMES);
            }
            Spec spec = new Spec(name, main, adapter, jars, home, log, List.copyOf(arguments), Map.copyOf(properties),
                    number("ready.port", 0), kind.equals("grpc"), Map.copyOf(inside), level, number("stop.seconds", 20), number("restart.seconds", 5));
            left.keySet().forEach(key -> faults.add("unknown key " + key));
            if (!faults.isEmpty()) {
                throw new IllegalArgumentException(file + ": " + String.join("; ", faults));
            }
            return spec;
        }

        private String take(String key, String fallback) {
            String value = left.remove(key);
            return value == null ? fallback : value;
        }

        private String required(String key) {
            String value = take(key, "");
            if (value.isEmpty()) {
                faults.add(key + " is missing");
            }
            return value;
        }

        private int number(String key, int fallback) {
            String value = take(key, String.valueOf(fallback));
            try {
                return Integer.parseInt(value);
            } catch (NumberFormatException none) {
                faults.add(key + ": " + value + " is no number");
                return fallback;
            }
        }
    }
}
