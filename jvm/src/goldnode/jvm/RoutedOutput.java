package goldnode.jvm;

import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/**
 * Standard output of the process, for what the JDK prints on a node's behalf.
 *
 * <p>A node's own {@code System.out} never comes here ({@link Rewriter}); a stack trace that
 * {@code Throwable.printStackTrace} prints does, and goes to the log of the node whose code asked for it.
 */
final class RoutedOutput extends OutputStream {
    private final PrintStream host;

    private RoutedOutput(PrintStream host) {
        this.host = host;
    }

    /** A stream that hands on to the calling thread's node, and to {@code host} for all other threads. */
    static PrintStream over(PrintStream host) {
        return new PrintStream(new RoutedOutput(host), true, StandardCharsets.UTF_8);
    }

    @Override
    public void write(int single) {
        target().write(single);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) {
        target().write(bytes, offset, length);
    }

    @Override
    public void flush() {
        target().flush();
    }

    private PrintStream target() {
        Owner owner = Keeper.caller();
        return owner == null ? host : owner.out();
    }
}
