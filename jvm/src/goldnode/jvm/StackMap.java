package goldnode.jvm;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;

/**
 * The verifier's table of a method, for code that begins further on than it did.
 *
 * <p>JVM specification, 4.7.4: each frame says how far it is from the one before, so that only the first one moves;
 * an object that is not yet initialised is named by where it was made.
 */
final class StackMap {
    private static final int OBJECT = 7;
    private static final int UNINITIALIZED = 8;
    private static final int ONE_ON_STACK = 64;
    private static final int RESERVED = 128;
    private static final int ONE_ON_STACK_FAR = 247;
    private static final int SAME_FAR = 251;
    private static final int FULL = 255;

    private final ClassFile file;
    private final int ahead;
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final DataOutputStream out = new DataOutputStream(bytes);
    private int at;

    private StackMap(ClassFile file, int table, int ahead) {
        this.file = file;
        this.at = table;
        this.ahead = ahead;
    }

    /** The content of the table that stands there, behind its name and length, moved by so many bytes of code. */
    static byte[] moved(ClassFile file, int table, int ahead) throws IOException {
        StackMap map = new StackMap(file, table, ahead);
        int frames = map.copyShort(0);
        for (int frame = 0; frame < frames; frame++) {
            map.frame(frame == 0 ? ahead : 0);
        }
        return map.bytes.toByteArray();
    }

    private void frame(int further) throws IOException {
        int type = file.bytes.get(at++) & 0xFF;
        if (type < RESERVED) {
            boolean one = type >= ONE_ON_STACK;
            if (further > 0) {
                out.write(one ? ONE_ON_STACK_FAR : SAME_FAR);
                out.writeShort(type % ONE_ON_STACK + further);
            } else {
                out.write(type);
            }
            types(one ? 1 : 0);
            return;
        }
        out.write(type);
        copyShort(further);
        if (type == FULL) {
            types(copyShort(0));
            types(copyShort(0));
        } else {
            types(type == ONE_ON_STACK_FAR ? 1 : Math.max(0, type - SAME_FAR));
        }
    }

    private void types(int count) throws IOException {
        for (int type = 0; type < count; type++) {
            int tag = file.bytes.get(at++);
            out.write(tag);
            if (tag == OBJECT || tag == UNINITIALIZED) {
                copyShort(tag == UNINITIALIZED ? ahead : 0);
            }
        }
    }

    /** What stood there before. */
    private int copyShort(int further) throws IOException {
        int value = file.u2(at);
        out.writeShort(value + further);
        at += 2;
        return value;
    }
}
