package goldnode.jvm;

import static goldnode.jvm.Check.equal;
import static goldnode.jvm.Check.thrown;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Two nodes share jars and nothing else. */
final class NodeLoaderTest {
    private NodeLoaderTest() {}

    static void everyNodeHasClassesOfItsOwn() throws Exception {
        Class<?> one = new Recorder().loader().loadClass("fixture.Caller");
        Class<?> other = new Recorder().loader().loadClass("fixture.Caller");
        equal(false, one == other);
    }

    static void bothSidesAgreeOnTheTypesBetweenThem() throws Exception {
        equal(Adapter.class, new Recorder().loader().loadClass(Adapter.class.getName()));
    }

    static void theHostsOwnClassPathIsOutOfSight() {
        NodeLoader bare = new NodeLoader("bare", List.of(), new Recorder());
        thrown(ClassNotFoundException.class, () -> bare.loadClass("fixture.Caller"));
    }

    static void aClassKnowsWhereItCameFrom() throws Exception {
        Class<?> caller = new Recorder().loader().loadClass("fixture.Caller");
        equal(true, caller.getProtectionDomain().getCodeSource().getLocation().getPath().endsWith("Caller.class"));
        equal("fixture", caller.getPackage().getName());
    }

    static void servicesAreReadFromAllJarsWithoutComments() throws Exception {
        Path folder = Files.createTempDirectory("services");
        Path services = Files.createDirectories(folder.resolve("META-INF/services"));
        Files.writeString(services.resolve("java.sql.Driver"), "# drivers\none.Driver # the first\n\nother.Driver\n");
        NodeLoader loader = new NodeLoader("served", List.of(folder, folder.resolve("none.jar")), new Recorder());
        equal(List.of("one.Driver", "other.Driver"), loader.serviceNames("java.sql.Driver"));
    }
}
