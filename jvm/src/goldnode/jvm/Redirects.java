package goldnode.jvm;

import static java.util.Map.entry;

import java.util.Map;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * Which uses of JVM-wide things lead elsewhere, and where.
 *
 * @param target class that has static methods and fields of the same names
 * @param members class to its redirected members; methods of instances are marked true, all else is static
 * @param fields class to static fields whose reads become calls of a method of the target
 * @param readers names of the methods in which those reads are exchanged
 */
record Redirects(
        String target,
        Map<String, Map<String, Boolean>> members,
        Map<String, Map<String, String>> fields,
        Predicate<String> readers) {

    private static final String POOL = "asyncCommonPool()Ljava/util/concurrent/ForkJoinPool;";

    /** In the classes of a node: to the node. */
    static final Redirects NODE = new Redirects("goldnode/jvm/inside/Self", Map.ofEntries(
            entry("java/lang/System", Map.ofEntries(
                    entry("exit(I)V", false),
                    entry("getProperty(Ljava/lang/String;)Ljava/lang/String;", false),
                    entry("getProperty(Ljava/lang/String;Ljava/lang/String;)Ljava/lang/String;", false),
                    entry("setProperty(Ljava/lang/String;Ljava/lang/String;)Ljava/lang/String;", false),
                    entry("clearProperty(Ljava/lang/String;)Ljava/lang/String;", false),
                    entry("getProperties()Ljava/util/Properties;", false),
                    entry("setProperties(Ljava/util/Properties;)V", false),
                    entry("setOut(Ljava/io/PrintStream;)V", false),
                    entry("setErr(Ljava/io/PrintStream;)V", false),
                    entry("outLjava/io/PrintStream;", false),
                    entry("errLjava/io/PrintStream;", false),
                    entry("load(Ljava/lang/String;)V", false))),
            entry("java/lang/Runtime", Map.of(
                    "load(Ljava/lang/String;)V", true,
                    "exit(I)V", true,
                    "halt(I)V", true,
                    "addShutdownHook(Ljava/lang/Thread;)V", true,
                    "removeShutdownHook(Ljava/lang/Thread;)Z", true)),
            entry("java/lang/Thread", Map.of(
                    "getContextClassLoader()Ljava/lang/ClassLoader;", true,
                    "setDefaultUncaughtExceptionHandler(Ljava/lang/Thread$UncaughtExceptionHandler;)V", false,
                    "getDefaultUncaughtExceptionHandler()Ljava/lang/Thread$UncaughtExceptionHandler;", false)),
            entry("java/lang/ClassLoader", Map.of(
                    "getSystemClassLoader()Ljava/lang/ClassLoader;", false,
                    "getSystemResource(Ljava/lang/String;)Ljava/net/URL;", false,
                    "getSystemResourceAsStream(Ljava/lang/String;)Ljava/io/InputStream;", false)),
            entry("java/lang/management/ManagementFactory", Map.of(
                    "getPlatformMBeanServer()Ljavax/management/MBeanServer;", false)),
            entry("java/util/ServiceLoader", Map.of(
                    "load(Ljava/lang/Class;)Ljava/util/ServiceLoader;", false)),
            entry("java/net/URL", Map.of(
                    "setURLStreamHandlerFactory(Ljava/net/URLStreamHandlerFactory;)V", false)),
            entry("java/io/File", Map.of(
                    "createTempFile(Ljava/lang/String;Ljava/lang/String;)Ljava/io/File;", false,
                    "createTempFile(Ljava/lang/String;Ljava/lang/String;Ljava/io/File;)Ljava/io/File;", false,
                    "deleteOnExit()V", true)),
            entry("java/nio/file/Files", Map.of(
                    "createTempFile(Ljava/lang/String;Ljava/lang/String;[Ljava/nio/file/attribute/FileAttribute;)"
                            + "Ljava/nio/file/Path;", false,
                    "createTempDirectory(Ljava/lang/String;[Ljava/nio/file/attribute/FileAttribute;)"
                            + "Ljava/nio/file/Path;", false)),
            entry("java/lang/Boolean", Map.of("getBoolean(Ljava/lang/String;)Z", false)),
            entry("java/lang/Integer", Map.of(
                    "getInteger(Ljava/lang/String;)Ljava/lang/Integer;", false,
                    "getInteger(Ljava/lang/String;I)Ljava/lang/Integer;", false)),
            entry("java/lang/Long", Map.of(
                    "getLong(Ljava/lang/String;)Ljava/lang/Long;", false,
                    "getLong(Ljava/lang/String;J)Ljava/lang/Long;", false))), Map.of(), name -> true);

    /** In classes of a program's own loaders: the same, but a native library is theirs that asks for it. */
    static final Redirects PLUGIN = NODE.without("load(Ljava/lang/String;)V");

    /** In the JDK's own: to whoever's call it is, also by reflection or from a class that nobody rewrote. */
    static final Redirects JDK = new Redirects("goldnode/jvm/boot/Gate", Map.of(
            "java/lang/Shutdown", Map.of("exit(I)V", false, "halt(I)V", false),
            "java/lang/ApplicationShutdownHooks", Map.of(
                    "add(Ljava/lang/Thread;)V", false,
                    "remove(Ljava/lang/Thread;)Z", false),
            "java/util/concurrent/ForkJoinPool", Map.of(POOL, false),
            "java/util/concurrent/CompletableFuture$Delayer", Map.of(
                    "delay(Ljava/lang/Runnable;JLjava/util/concurrent/TimeUnit;)Ljava/util/concurrent/ScheduledFuture;",
                    false)),
            Map.of(
                    "java/util/concurrent/CompletableFuture", Map.of(
                            "ASYNC_POOLLjava/util/concurrent/Executor;", POOL,
                            "ASYNC_POOLLjava/util/concurrent/ForkJoinPool;", POOL),
                    "java/util/concurrent/SubmissionPublisher", Map.of(
                            "ASYNC_POOLLjava/util/concurrent/Executor;", POOL)),
            name -> true);

    /** In the one method that hands the common pool out: to the pool of whoever asks. */
    static final Redirects COMMON_POOL = new Redirects(JDK.target, Map.of(),
            Map.of("java/util/concurrent/ForkJoinPool", Map.of("commonLjava/util/concurrent/ForkJoinPool;", POOL)),
            "commonPool"::equals);

    private Redirects without(String member) {
        Map<String, Map<String, Boolean>> fewer = members.entrySet().stream()
                .collect(Collectors.toMap(Map.Entry::getKey, type -> type.getValue().entrySet().stream()
                        .filter(known -> !known.getKey().equals(member))
                        .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue))));
        return new Redirects(target, fewer, fields, readers);
    }
}
