package goldnode.jvm;

import static java.util.Map.entry;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/**
 * Points a program's uses of JVM-wide things at the node that runs it, while its classes load.
 *
 * <p>{@code System.exit} would end every node of the process. Java's answer, the SecurityManager, is
 * refused from 24 on. A class, however, names every method it calls in its constant pool: appending
 * the name of {@link goldnode.jvm.inside.Self} there and exchanging one index redirects a static
 * call without touching an instruction. An instance method of {@code Runtime} becomes a static one
 * that takes the Runtime first: the same operands on the stack, one opcode to exchange. Sizes, jumps
 * and stack maps stay as they were, so this holds for every class-file version.
 *
 * <p>Not reached: calls by reflection, and classes that a program defines out of bytes it made.
 */
final class Rewriter {
    private static final String SELF = "goldnode/jvm/inside/Self";
    private static final int INVOKESTATIC = 184;
    private static final int REF_INVOKE_STATIC = 6;

    /** What is redirected: methods of instances are marked true, all else is static. */
    private static final Map<String, Map<String, Boolean>> TARGETS = Map.of(
            "java/lang/System", Map.ofEntries(
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
                    entry("errLjava/io/PrintStream;", false)),
            "java/lang/Runtime", Map.of(
                    "exit(I)V", true,
                    "halt(I)V", true,
                    "addShutdownHook(Ljava/lang/Thread;)V", true,
                    "removeShutdownHook(Ljava/lang/Thread;)Z", true),
            "java/lang/Thread", Map.of(
                    "setDefaultUncaughtExceptionHandler(Ljava/lang/Thread$UncaughtExceptionHandler;)V", false,
                    "getDefaultUncaughtExceptionHandler()Ljava/lang/Thread$UncaughtExceptionHandler;", false),
            "java/lang/ClassLoader", Map.of(
                    "getSystemClassLoader()Ljava/lang/ClassLoader;", false,
                    "getSystemResource(Ljava/lang/String;)Ljava/net/URL;", false,
                    "getSystemResourceAsStream(Ljava/lang/String;)Ljava/io/InputStream;", false),
            "java/lang/management/ManagementFactory", Map.of(
                    "getPlatformMBeanServer()Ljavax/management/MBeanServer;", false),
            "java/lang/Boolean", Map.of("getBoolean(Ljava/lang/String;)Z", false),
            "java/lang/Integer", Map.of(
                    "getInteger(Ljava/lang/String;)Ljava/lang/Integer;", false,
                    "getInteger(Ljava/lang/String;I)Ljava/lang/Integer;", false),
            "java/lang/Long", Map.of(
                    "getLong(Ljava/lang/String;)Ljava/lang/Long;", false,
                    "getLong(Ljava/lang/String;J)Ljava/lang/Long;", false));

    private final ClassFile file;
    private final ByteBuffer patched;
    private final ByteArrayOutputStream added = new ByteArrayOutputStream();
    private int next;

    private Rewriter(ClassFile file) {
        this.file = file;
        this.patched = ByteBuffer.wrap(file.bytes.array().clone());
        this.next = file.entries.length;
    }

    /**
     * The class with its uses redirected; the very same array when it has none.
     *
     * @throws ClassFormatError the bytes are no class file, or its constant pool is full
     */
    static byte[] rewrite(byte[] content) {
        ClassFile file = new ClassFile(content);
        Map<Integer, Boolean> hits = hits(file);
        return hits.isEmpty() ? content : new Rewriter(file).apply(hits);
    }

    private static Map<Integer, Boolean> hits(ClassFile file) {
        Map<Integer, Boolean> hits = new HashMap<>();
        for (int index = 1; index < file.entries.length; index++) {
            if (file.entries[index] == 0 || file.tag(index) != ClassFile.METHOD && file.tag(index) != ClassFile.FIELD) {
                continue;
            }
            Map<String, Boolean> members = TARGETS.get(file.owner(index));
            if (members != null) {
                int nameAndType = file.nameAndType(index);
                Boolean instance = members.get(file.name(nameAndType) + file.descriptor(nameAndType));
                if (instance != null) {
                    hits.put(index, instance);
                }
            }
        }
        return hits;
    }

    private byte[] apply(Map<Integer, Boolean> hits) {
        int self = addClass(SELF);
        Set<Integer> instanceMethods = new HashSet<>();
        hits.forEach((index, instance) -> {
            patched.putShort(file.entries[index] + 1, (short) self);
            if (instance) {
                instanceMethods.add(index);
                patched.putShort(file.entries[index] + 3, (short) addStaticForm(index));
            }
        });
        if (!instanceMethods.isEmpty()) {
            exchangeCalls(instanceMethods);
        }
        if (next > 0xFFFF) {
            throw new ClassFormatError("no room left in the constant pool to redirect System.exit and the like");
        }
        patched.putShort(8, (short) next);
        ByteArrayOutputStream whole = new ByteArrayOutputStream(patched.capacity() + added.size());
        whole.write(patched.array(), 0, file.poolEnd);
        whole.writeBytes(added.toByteArray());
        whole.write(patched.array(), file.poolEnd, patched.capacity() - file.poolEnd);
        return whole.toByteArray();
    }

    private void exchangeCalls(Set<Integer> instanceMethods) {
        for (int at : file.virtualCalls()) {
            if (instanceMethods.contains(file.u2(at + 1))) {
                patched.put(at, (byte) INVOKESTATIC);
            }
        }
        for (int index = 1; index < file.entries.length; index++) {
            if (file.entries[index] != 0 && file.tag(index) == ClassFile.METHOD_HANDLE
                    && instanceMethods.contains(file.u2(file.entries[index] + 2))) {
                patched.put(file.entries[index] + 1, (byte) REF_INVOKE_STATIC);
            }
        }
    }

    private int addStaticForm(int method) {
        int nameAndType = file.nameAndType(method);
        int name = file.u2(file.entries[nameAndType] + 1);
        int type = addText("(L" + file.owner(method) + ";" + file.descriptor(nameAndType).substring(1));
        return add(ClassFile.NAME_AND_TYPE, name, type);
    }

    private int addClass(String name) {
        return add(ClassFile.CLASS, addText(name));
    }

    private int addText(String text) {
        byte[] content = text.getBytes(StandardCharsets.UTF_8);
        int index = add(ClassFile.UTF8, content.length);
        added.writeBytes(content);
        return index;
    }

    private int add(int tag, int... operands) {
        added.write(tag);
        for (int operand : operands) {
            added.write(operand >> 8);
            added.write(operand);
        }
        return next++;
    }
}
