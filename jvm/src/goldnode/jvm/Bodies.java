package goldnode.jvm;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/**
 * Changes what the methods of a class do: they refuse to run, or say something before they begin.
 *
 * <p>Both lead to {@link goldnode.jvm.boot.Gate}, which classes of every loader see.
 */
final class Bodies {
    /** Loads nothing, the object itself, or the method's first argument, for the call that comes before its code. */
    enum Load {
        NOTHING(0, "interrupted()V"), ITSELF(42, "opened(Ljava/lang/Object;)V"), ARGUMENT(43, "opened(Ljava/lang/Object;)V");

        private final int opcode;
        private final String call;

        Load(int opcode, String call) {
            this.opcode = opcode;
            this.call = call;
        }
    }

    private static final String GATE = "goldnode/jvm/boot/Gate";
    private static final int INVOKESTATIC = 184;
    private static final int ATHROW = 191;
    /** Bytes that come before a method's code; a multiple of four, so that its switches stay where they may be. */
    private static final int AHEAD = 4;

    private final ClassFile file;
    private final Map<String, Load> beginnings;
    private final Set<String> seen = new HashSet<>();
    private final Constants constants;
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final DataOutputStream out = new DataOutputStream(bytes);

    private Bodies(byte[] content, Map<String, Load> beginnings) {
        this.file = new ClassFile(content);
        this.beginnings = beginnings;
        this.constants = new Constants(file);
    }

    /** The class with methods that throw, whichever is called. */
    static byte[] refusing(byte[] content) {
        return new Bodies(content, Map.of()).changed();
    }

    /**
     * The class with a call before the code of these methods, each given as name and descriptor.
     *
     * <p>What only debuggers read of such a method is left out.
     *
     * @throws ClassFormatError it lacks one of them
     */
    static byte[] announcing(byte[] content, Map<String, Load> beginnings) {
        Bodies bodies = new Bodies(content, beginnings);
        byte[] changed = bodies.changed();
        if (!bodies.seen.equals(beginnings.keySet())) {
            throw new ClassFormatError("it has only " + bodies.seen + " of " + beginnings.keySet());
        }
        return changed;
    }

    private byte[] changed() {
        try {
            int gate = constants.addClass(GATE);
            int at = file.methodTable();
            byte[] old = file.bytes.array();
            out.write(old, file.poolEnd, at - file.poolEnd);
            methods(at, gate);
            return constants.whole(old, bytes.toByteArray());
        } catch (IOException impossible) { // it goes to memory
            throw new UncheckedIOException(impossible);
        }
    }

    private void methods(int start, int gate) throws IOException {
        byte[] old = file.bytes.array();
        int ended = beginnings.isEmpty() ? constants.addMethod(gate, "ended()Ljava/lang/Error;") : 0;
        int at = start + 2;
        out.writeShort(file.u2(start));
        for (int method = 0; method < file.u2(start); method++) {
            String name = file.text(file.u2(at + 2)) + file.text(file.u2(at + 4));
            int attributes = file.u2(at + 6);
            out.write(old, at, 8);
            at += 8;
            for (int attribute = 0; attribute < attributes; attribute++) {
                int length = 6 + file.bytes.getInt(at + 2);
                if (!file.text(file.u2(at)).equals("Code")) {
                    out.write(old, at, length);
                } else if (beginnings.isEmpty()) {
                    refusal(at, ended);
                } else if (beginnings.containsKey(name)) {
                    seen.add(name);
                    announced(at, beginnings.get(name), constants.addMethod(gate, beginnings.get(name).call));
                } else {
                    out.write(old, at, length);
                }
                at += length;
            }
        }
        out.write(old, at, old.length - at);
    }

    /** Code that throws; no exception is caught there, and nothing is said of it. */
    private void refusal(int code, int ended) throws IOException {
        out.writeShort(file.u2(code));
        out.writeInt(2 + 2 + 4 + 4 + 2 + 2);
        out.writeShort(1);
        out.writeShort(file.u2(code + 8)); // the arguments have their places
        out.writeInt(4);
        out.write(INVOKESTATIC);
        out.writeShort(ended);
        out.write(ATHROW);
        out.writeShort(0);
        out.writeShort(0);
    }

    private void announced(int code, Load load, int method) throws IOException {
        int length = file.bytes.getInt(code + 10);
        int table = code + 14 + length;
        int handlers = file.u2(table);
        byte[] map = stackMap(table + 2 + 8 * handlers);
        out.writeShort(file.u2(code));
        out.writeInt(2 + 2 + 4 + AHEAD + length + 2 + 8 * handlers + 2 + map.length);
        out.writeShort(Math.max(1, file.u2(code + 6)));
        out.writeShort(file.u2(code + 8));
        out.writeInt(AHEAD + length);
        out.write(load.opcode);
        out.write(INVOKESTATIC);
        out.writeShort(method);
        out.write(file.bytes.array(), code + 14, length);
        out.writeShort(handlers);
        for (int at = table + 2; at < table + 2 + 8 * handlers; at += 8) {
            out.writeShort(AHEAD + file.u2(at));
            out.writeShort(AHEAD + file.u2(at + 2));
            out.writeShort(AHEAD + file.u2(at + 4));
            out.writeShort(file.u2(at + 6));
        }
        out.writeShort(map.length == 0 ? 0 : 1);
        out.write(map);
    }

    /** The whole attribute, from a table of attributes; empty when there is none. */
    private byte[] stackMap(int attributes) throws IOException {
        ByteArrayOutputStream whole = new ByteArrayOutputStream();
        int at = attributes + 2;
        for (int attribute = 0; attribute < file.u2(attributes); attribute++) {
            if (file.text(file.u2(at)).equals("StackMapTable")) {
                byte[] moved = StackMap.moved(file, at + 6, AHEAD);
                DataOutputStream data = new DataOutputStream(whole);
                data.writeShort(file.u2(at));
                data.writeInt(moved.length);
                data.write(moved);
            }
            at += 6 + file.bytes.getInt(at + 2);
        }
        return whole.toByteArray();
    }
}
