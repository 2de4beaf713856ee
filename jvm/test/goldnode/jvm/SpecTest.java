package goldnode.jvm;

import static goldnode.jvm.Check.equal;
import static goldnode.jvm.Check.thrown;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** A node's file says everything about it, and a wrong one says everything that is wrong with it. */
final class SpecTest {
    private SpecTest() {}

    static void aWholeFileIsRead() throws IOException {
        Path folder = folder("alice", """
                main = org.example.Main
                jars = /
                home = /h
                log = /l
                argument.1 = --port
                argument.2 = 6865
                property.some.key = a value
                ready.port = 6865
                ready.kind = grpc
                inside.bob = 7000
                log.level = debug
                """);
        Spec expected = new Spec("alice", "org.example.Main", "", List.of(Path.of("/")), Path.of("/h"), Path.of("/l"),
                List.of("--port", "6865"), Map.of("some.key", "a value"), 6865, true, Map.of("bob", 7000), "debug", 20, 5);
        equal(expected, Spec.read(folder, "alice"));
    }

    static void everyFaultIsNamedAtOnce() throws IOException {
        Path folder = folder("alice", "jars = /none.jar\nstop.seconds = soon\ncolour = red\nlog.level = loud\n");
        equal(folder + "/alice.properties: exactly one of main and adapter has to be set; jars: no file /none.jar; "
                        + "home is missing; log is missing; log.level: loud is none of [error, warn, info, debug, trace]; stop.seconds: soon is no number; unknown key colour",
                thrown(IllegalArgumentException.class, () -> Spec.read(folder, "alice")));
    }

    static void aNodeWithoutAFileIsUnknown() throws IOException {
        Path folder = folder("alice", "");
        equal("there is no node bob: " + folder + "/bob.properties does not exist",
                thrown(IllegalArgumentException.class, () -> Spec.read(folder, "bob")));
    }

    static void aNameCannotLeaveTheFolder() {
        equal("\"../alice\" is no name of a node: a small letter, then small letters, digits and -",
                thrown(IllegalArgumentException.class, () -> Spec.read(Path.of("/"), "../alice")));
    }

    static void namesAreSortedAndOtherFilesLeftAlone() throws IOException {
        Path folder = folder("bob", "");
        Files.writeString(folder.resolve("alice.properties"), "");
        Files.writeString(folder.resolve("notes.txt"), "");
        equal(List.of("alice", "bob"), Spec.names(folder));
    }

    private static Path folder(String name, String content) throws IOException {
        Path folder = Files.createTempDirectory("nodes");
        Files.writeString(folder.resolve(name + ".properties"), content);
        return folder;
    }
}
