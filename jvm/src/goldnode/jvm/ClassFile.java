package goldnode.jvm;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * Where things stand in the bytes of one class file (JVM specification, chapter 4).
 *
 * <p>Only what {@link Rewriter} needs: the constant pool, and where instructions stand.
 * Nothing here changes a byte. Java's own class-file API exists from 24 on and this has to run on
 * 17 as well; a general library would be a second dependency for one pass over one table.
 */
final class ClassFile {
    static final int UTF8 = 1;
    static final int LONG = 5;
    static final int DOUBLE = 6;
    static final int CLASS = 7;
    static final int FIELD = 9;
    static final int METHOD = 10;
    static final int NAME_AND_TYPE = 12;
    static final int METHOD_HANDLE = 15;
    static final int GETSTATIC = 178;
    static final int INVOKEVIRTUAL = 182;

    private static final int TABLESWITCH = 170;
    private static final int LOOKUPSWITCH = 171;
    private static final int WIDE = 196;
    private static final int IINC = 132;
    /** Bytes of each instruction from opcode 0 on; 0 for the three whose length varies. */
    private static final String LENGTHS =
            "1111111111111111" + "23233" + "22222" + "1".repeat(28) + "22222" + "1".repeat(73) + "3"
                    + "1".repeat(20) + "3".repeat(16) + "2" + "00" + "111111" + "3333333" + "55" + "323"
                    + "11" + "33" + "11" + "0" + "4" + "33" + "55";

    final ByteBuffer bytes;
    /** Offset of each entry's tag; 0 for the unused slots. */
    final int[] entries;
    /** Offset of the first byte behind the constant pool. */
    final int poolEnd;

    /**
     * Reads the constant pool.
     *
     * @throws ClassFormatError the bytes are no class file, or end too early
     */
    ClassFile(byte[] content) {
        bytes = ByteBuffer.wrap(content);
        try {
            if (bytes.getInt(0) != 0xCAFEBABE) {
                throw new ClassFormatError("no class file: its first four bytes are not CAFEBABE");
            }
            entries = new int[u2(8)];
            int at = 10;
            for (int index = 1; index < entries.length; index++) {
                entries[index] = at;
                int tag = tag(index);
                at += entrySize(at, tag);
                if (tag == LONG || tag == DOUBLE) {
                    index++;
                }
            }
            poolEnd = at;
        } catch (IndexOutOfBoundsException cut) {
            throw new ClassFormatError("the class file ends inside its constant pool");
        }
    }

    int tag(int index) {
        return bytes.get(entries[index]) & 0xFF;
    }

    int u2(int at) {
        return bytes.getShort(at) & 0xFFFF;
    }

    /** The text of a UTF-8 entry; names of classes and methods are plain enough for this decoding. */
    String text(int index) {
        int at = entries[index] + 1;
        return new String(bytes.array(), at + 2, u2(at), StandardCharsets.UTF_8);
    }

    /** The name of the class that a field or method entry belongs to, as {@code java/lang/System}. */
    String owner(int reference) {
        return text(u2(entries[u2(entries[reference] + 1)] + 1));
    }

    int nameAndType(int reference) {
        return u2(entries[reference] + 3);
    }

    String name(int nameAndType) {
        return text(u2(entries[nameAndType] + 1));
    }

    String descriptor(int nameAndType) {
        return text(u2(entries[nameAndType] + 3));
    }

    /** Hears of every instruction of a class. */
    interface Visitor {
        void instruction(String method, int opcode, int at);
    }

    /** Goes through the instructions of every method of the class, in order. */
    void visit(Visitor visitor) {
        methods((method, attribute) -> {
            if (text(u2(attribute)).equals("Code")) {
                String name = method.substring(0, method.indexOf('('));
                visit(name, attribute + 14, bytes.getInt(attribute + 10), visitor);
            }
        });
    }

    /** Hears of every attribute of every method: the method's name with its descriptor, and where the attribute begins. */
    interface Attributes {
        void attribute(String method, int at);
    }

    /** Goes through the attributes of all methods. */
    void methods(Attributes each) {
        members(methodTable(), each);
    }

    /** Where the table of methods begins, which comes behind that of fields. */
    int methodTable() {
        int interfaces = poolEnd + 6;
        return members(interfaces + 2 + 2 * u2(interfaces), (field, attribute) -> {});
    }

    private int members(int table, Attributes each) {
        int at = table + 2;
        for (int member = 0; member < u2(table); member++) {
            String name = text(u2(at + 2)) + text(u2(at + 4));
            int attributes = u2(at + 6);
            at += 8;
            for (int attribute = 0; attribute < attributes; attribute++) {
                each.attribute(name, at);
                at += 6 + bytes.getInt(at + 2);
            }
        }
        return at;
    }

    private void visit(String method, int start, int length, Visitor visitor) {
        int at = start;
        while (at < start + length) {
            int opcode = bytes.get(at) & 0xFF;
            visitor.instruction(method, opcode, at);
            at += instructionSize(start, at, opcode);
        }
    }

    private int instructionSize(int start, int at, int opcode) {
        int operands = at + 4 - (at - start) % 4;
        return switch (opcode) {
            case TABLESWITCH ->
                    operands + 12 + 4 * (bytes.getInt(operands + 8) - bytes.getInt(operands + 4) + 1) - at;
            case LOOKUPSWITCH -> operands + 8 + 8 * bytes.getInt(operands + 4) - at;
            case WIDE -> (bytes.get(at + 1) & 0xFF) == IINC ? 6 : 4;
            default -> LENGTHS.charAt(opcode) - '0';
        };
    }

    private int entrySize(int at, int tag) {
        return switch (tag) {
            case UTF8 -> 3 + u2(at + 1);
            case CLASS, 8, 16, 19, 20 -> 3;
            case METHOD_HANDLE -> 4;
            case 3, 4, FIELD, METHOD, 11, NAME_AND_TYPE, 17, 18 -> 5;
            case LONG, DOUBLE -> 9;
            default -> throw new ClassFormatError("constant pool entry of unknown kind " + tag);
        };
    }
}
