package goldnode.jvm;

import java.nio.ByteBuffer;
import java.util.Arrays;
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
 * <p>The same, with another table, leads the JDK's own code to {@link goldnode.jvm.boot.Gate}.
 */
final class Rewriter {
    private static final int INVOKESTATIC = 184;
    private static final int REF_INVOKE_STATIC = 6;

    private final ClassFile file;
    private final Redirects redirects;
    private final ByteBuffer patched;
    private final Constants constants;

    private Rewriter(ClassFile file, Redirects redirects) {
        this.file = file;
        this.redirects = redirects;
        this.patched = ByteBuffer.wrap(file.bytes.array().clone());
        this.constants = new Constants(file);
    }

    /**
     * The class with its uses redirected; the very same array when it has none.
     *
     * @throws ClassFormatError the bytes are no class file, or its constant pool is full
     */
    static byte[] rewrite(byte[] content, Redirects redirects) {
        ClassFile file = new ClassFile(content);
        Rewriter rewriter = new Rewriter(file, redirects);
        Map<Integer, Boolean> hits = rewriter.references(redirects.members());
        Map<Integer, String> fields = rewriter.references(redirects.fields());
        return hits.isEmpty() && fields.isEmpty() ? content : rewriter.apply(hits, fields);
    }

    /** The entries of the constant pool that the table names, each with what the table says of it. */
    private <T> Map<Integer, T> references(Map<String, Map<String, T>> table) {
        Map<Integer, T> found = new HashMap<>();
        for (int index = 1; index < file.entries.length; index++) {
            if (file.entries[index] == 0 || file.tag(index) != ClassFile.METHOD && file.tag(index) != ClassFile.FIELD) {
                continue;
            }
            Map<String, T> members = table.get(file.owner(index));
            if (members != null) {
                int nameAndType = file.nameAndType(index);
                T what = members.get(file.name(nameAndType) + file.descriptor(nameAndType));
                if (what != null) {
                    found.put(index, what);
                }
            }
        }
        return found;
    }

    private byte[] apply(Map<Integer, Boolean> hits, Map<Integer, String> fields) {
        int target = constants.addClass(redirects.target());
        Set<Integer> instanceMethods = new HashSet<>();
        hits.forEach((index, instance) -> {
            patched.putShort(file.entries[index] + 1, (short) target);
            if (instance) {
                instanceMethods.add(index);
                patched.putShort(file.entries[index] + 3, (short) addStaticForm(index));
            }
        });
        if (!instanceMethods.isEmpty()) {
            exchangeCalls(instanceMethods);
        }
        fields.forEach((index, method) -> exchangeReads(index, constants.addMethod(target, method)));
        byte[] all = patched.array();
        return constants.whole(all, Arrays.copyOfRange(all, file.poolEnd, all.length));
    }

    /** A read of a static field and a call of a static method are both three bytes, and push one value. */
    private void exchangeReads(int field, int method) {
        file.visit((name, opcode, at) -> {
            if (opcode == ClassFile.GETSTATIC && file.u2(at + 1) == field && redirects.readers().test(name)) {
                patched.put(at, (byte) INVOKESTATIC);
                patched.putShort(at + 1, (short) method);
            }
        });
    }

    private void exchangeCalls(Set<Integer> instanceMethods) {
        file.visit((name, opcode, at) -> {
            if (opcode == ClassFile.INVOKEVIRTUAL && instanceMethods.contains(file.u2(at + 1))) {
                patched.put(at, (byte) INVOKESTATIC);
            }
        });
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
        int type = constants.addText("(L" + file.owner(method) + ";" + file.descriptor(nameAndType).substring(1));
        return constants.add(ClassFile.NAME_AND_TYPE, name, type);
    }
}
