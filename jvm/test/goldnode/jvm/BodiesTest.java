package goldnode.jvm;

import static goldnode.jvm.Check.equal;
import static goldnode.jvm.Check.thrown;

import goldnode.jvm.Bodies.Load;
import java.io.IOException;
import java.net.URI;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/** A method that refuses or tells first is one that every Java takes. */
final class BodiesTest {
    private BodiesTest() {}

    static void whatTellsFirstDoesTheSameAfterwards() throws Exception {
        Map<String, byte[]> classes = new TreeMap<>();
        for (String name : List.of("goldnode.jvm.Json", "goldnode.jvm.ClassFile", "goldnode.jvm.ClassFile$Attributes",
                "goldnode.jvm.ClassFile$Visitor", "goldnode.jvm.Spec", "goldnode.jvm.GrpcHealth", "fixture.Caller")) {
            byte[] content = content(name);
            classes.put(name, Bodies.announcing(content, methods(content)));
        }
        Keeper.serve();
        Loader loader = new Loader(classes);
        for (String name : classes.keySet()) {
            equal(name, Class.forName(name, true, loader).getName()); // the verifier has read it
        }
    }

    static void aMethodThatRefusesThrowsAndHasItsPlace() throws Exception {
        Keeper.serve();
        Loader loader = new Loader(Map.of("fixture.Caller", Bodies.refusing(content("fixture.Caller"))));
        Class<?> caller = Class.forName("fixture.Caller", false, loader);
        equal("the node has ended", thrown(NodeExit.class, () -> caller.getMethod("properties").invoke(null)));
    }

    static void aMethodThatIsMissingIsNamed() throws Exception {
        byte[] content = content("goldnode.jvm.Json");
        equal("it has only [] of [gone()V]", thrown(ClassFormatError.class,
                () -> Bodies.announcing(content, Map.of("gone()V", Load.NOTHING))));
    }

    static void everyClassOfTheJdkCanBeChanged() throws IOException {
        Path modules = FileSystems.getFileSystem(URI.create("jrt:/")).getPath("/modules/java.base/java/util");
        try (Stream<Path> files = Files.walk(modules)) {
            for (Path file : files.filter(path -> path.toString().endsWith(".class")).toList()) {
                byte[] content = Files.readAllBytes(file);
                equal(methods(content), methods(Bodies.announcing(content, methods(content))));
                equal(methods(content), methods(Bodies.refusing(content)));
            }
        }
    }

    /** All methods that have code. */
    private static Map<String, Load> methods(byte[] content) {
        ClassFile file = new ClassFile(content);
        Map<String, Load> names = new TreeMap<>();
        file.methods((name, at) -> {
            if (file.text(file.u2(at)).equals("Code")) {
                names.put(name, Load.NOTHING);
            }
        });
        return names;
    }

    private static byte[] content(String name) throws IOException {
        try (var stream = BodiesTest.class.getResourceAsStream("/" + name.replace('.', '/') + ".class")) {
            return stream.readAllBytes();
        }
    }

    /** Defines these classes itself. */
    private static final class Loader extends ClassLoader {
        private final Map<String, byte[]> classes;

        Loader(Map<String, byte[]> classes) {
            super(BodiesTest.class.getClassLoader());
            this.classes = classes;
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            synchronized (getClassLoadingLock(name)) {
                byte[] content = findLoadedClass(name) == null ? classes.get(name) : null;
                return content == null ? super.loadClass(name, resolve) : defineClass(name, content, 0, content.length);
            }
        }
    }
}
