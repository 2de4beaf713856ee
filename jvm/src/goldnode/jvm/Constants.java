package goldnode.jvm;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** Entries to append to the constant pool of a class; those it has keep their places. */
final class Constants {
    private final ByteArrayOutputStream added = new ByteArrayOutputStream();
    private final ClassFile file;
    private int next;

    Constants(ClassFile file) {
        this.file = file;
        next = file.entries.length;
    }

    int addClass(String name) {
        return add(ClassFile.CLASS, addText(name));
    }

    /** An entry for a method of a class, given as name and descriptor. */
    int addMethod(int owner, String method) {
        int descriptor = method.indexOf('(');
        int name = addText(method.substring(0, descriptor));
        int type = addText(method.substring(descriptor));
        return add(ClassFile.METHOD, owner, add(ClassFile.NAME_AND_TYPE, name, type));
    }

    int addText(String text) {
        byte[] content = text.getBytes(StandardCharsets.UTF_8);
        int index = add(ClassFile.UTF8, content.length);
        added.writeBytes(content);
        return index;
    }

    int add(int tag, int... operands) {
        added.write(tag);
        for (int operand : operands) {
            added.write(operand >> 8);
            added.write(operand);
        }
        return next++;
    }

    /**
     * The class with these entries.
     *
     * @param pool begins with the class file up to the end of its pool, changed in place or not
     * @param rest what comes behind the pool
     * @throws ClassFormatError the pool has more entries than it can
     */
    byte[] whole(byte[] pool, byte[] rest) {
        if (next > 0xFFFF) {
            throw new ClassFormatError("no room left in the constant pool to redirect System.exit and the like");
        }
        byte[] own = added.toByteArray();
        return ByteBuffer.allocate(file.poolEnd + own.length + rest.length)
                .put(pool, 0, file.poolEnd)
                .put(own)
                .put(rest)
                .putShort(8, (short) next)
                .array();
    }
}
