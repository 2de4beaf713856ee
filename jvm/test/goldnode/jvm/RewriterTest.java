package goldnode.jvm;

import static goldnode.jvm.Check.equal;
import static goldnode.jvm.Check.thrown;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.URI;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import javax.management.ObjectName;

/** What a program does to the JVM reaches its node instead, however the compiler wrote the call down. */
final class RewriterTest {
    private RewriterTest() {}

    static void systemExitReachesTheNode() throws Exception {
        equal(List.of("exit 1"), asked("exit"));
    }

    static void exitOfTheRuntimeReachesTheNode() throws Exception {
        equal(List.of("exit 2"), asked("runtimeExit"));
    }

    static void haltReachesTheNode() throws Exception {
        equal(List.of("exit 3"), asked("halt"));
    }

    static void aReferenceToExitReachesTheNode() throws Exception {
        equal(List.of("exit 4"), asked("staticReference"));
    }

    static void aReferenceToHaltBoundToTheRuntimeReachesTheNode() throws Exception {
        equal(List.of("exit 5"), asked("boundReference"));
    }

    static void aCallBehindInstructionsOfVaryingLengthIsFound() throws Exception {
        Recorder recorder = new Recorder();
        recorder.call("behindSwitches", new Class<?>[] {int.class, String.class}, 2, "another");
        equal(List.of("exit 6"), recorder.asked);
    }

    static void shutdownHooksAreTheNodes() throws Exception {
        Recorder recorder = new Recorder();
        Thread hook = new Thread("saves");
        recorder.call("hook", new Class<?>[] {Thread.class}, hook);
        equal(List.of("hook saves"), recorder.asked);
        equal(true, recorder.call("unhook", new Class<?>[] {Thread.class}, hook));
        equal(false, recorder.call("unhook", new Class<?>[] {Thread.class}, hook));
    }

    static void outputGoesToTheNode() throws Exception {
        Recorder recorder = new Recorder();
        recorder.call("print", new Class<?>[] {String.class}, "hello ");
        equal("hello hello ", recorder.printed.toString());
    }

    static void propertiesAreTheNodesOwn() throws Exception {
        Recorder recorder = new Recorder();
        equal(recorder.properties, recorder.call("properties"));
        equal("yes", recorder.properties.getProperty("caller.set"));
        equal(null, System.getProperty("caller.set"));
    }

    static void numbersAndFlagsComeFromTheNodesProperties() throws Exception {
        Recorder recorder = new Recorder();
        recorder.properties.setProperty("caller.number", "0x10");
        recorder.properties.setProperty("caller.flag", "true");
        equal("16 16 true 3", recorder.call("numbers"));
    }

    static void theSystemClassLoaderIsTheNodes() throws Exception {
        Recorder recorder = new Recorder();
        Class<?> caller = recorder.loader().loadClass("fixture.Caller");
        equal(caller.getClassLoader(), caller.getMethod("systemLoader").invoke(null));
    }

    static void theDefaultHandlerIsTheNodes() throws Exception {
        Recorder recorder = new Recorder();
        Thread.UncaughtExceptionHandler handler = (thread, error) -> {};
        recorder.call("defaultHandler", new Class<?>[] {Thread.UncaughtExceptionHandler.class}, handler);
        equal(handler, recorder.defaultHandler());
        equal(null, Thread.getDefaultUncaughtExceptionHandler());
    }

    static void aBeanThatANodeLeavesIsTakenOut() throws Exception {
        Recorder recorder = new Recorder();
        ObjectName name = new ObjectName("fixture:name=left");
        recorder.call("bean", new Class<?>[] {ObjectName.class}, name);
        equal(true, recorder.beans().isRegistered(name));
        equal(false, ManagementFactory.getPlatformMBeanServer().isRegistered(name));
        equal(List.of("bean fixture:name=left"), recorder.beans.removeLeft());
        equal(false, recorder.beans().isRegistered(name));
        equal(List.of(), recorder.beans.removeLeft());
    }

    static void aClassThatUsesNothingOfItStaysTheSameArray() throws Exception {
        byte[] content = content(Backoff.class);
        equal(true, content == Rewriter.rewrite(content, Redirects.NODE));
    }

    static void everyClassOfTheJdkIsUnderstood() throws IOException {
        Path modules = FileSystems.getFileSystem(URI.create("jrt:/")).getPath("/modules/java.base");
        try (Stream<Path> files = Files.walk(modules)) {
            for (Path file : files.filter(path -> path.toString().endsWith(".class")).toList()) {
                byte[] content = Files.readAllBytes(file);
                new ClassFile(content).visit((method, opcode, at) -> {});
                Rewriter.rewrite(content, Redirects.NODE);
            }
        }
    }

    static void aCutClassIsRefused() throws Exception {
        byte[] content = content(Rewriter.class);
        equal("the class file ends inside its constant pool",
                thrown(ClassFormatError.class, () -> Rewriter.rewrite(Arrays.copyOf(content, 40), Redirects.NODE)));
    }

    static void whatIsNoClassIsRefused() {
        equal("no class file: its first four bytes are not CAFEBABE",
                thrown(ClassFormatError.class, () -> Rewriter.rewrite(new byte[64], Redirects.NODE)));
    }

    private static List<String> asked(String method) throws ReflectiveOperationException {
        Recorder recorder = new Recorder();
        recorder.call(method);
        return recorder.asked;
    }

    private static byte[] content(Class<?> type) throws IOException {
        try (var stream = type.getResourceAsStream(type.getSimpleName() + ".class")) {
            return stream.readAllBytes();
        }
    }
}
