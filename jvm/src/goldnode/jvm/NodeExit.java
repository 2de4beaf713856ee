package goldnode.jvm;

/** Unwinds the thread that called {@code System.exit}: the call must not return, and the JVM must stay. */
final class NodeExit extends Error {
    private static final long serialVersionUID = 1L;

    NodeExit(int code) {
        super("the node exited with code " + code, null, false, false);
    }
}
