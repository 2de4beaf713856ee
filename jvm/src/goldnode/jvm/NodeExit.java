package goldnode.jvm;

/** Unwinds a thread of a node that ends: the one that called {@code System.exit}, and those that ignore the end. */
final class NodeExit extends Error {
    private static final long serialVersionUID = 1L;

    NodeExit() {
        super("the node has ended", null, false, false);
    }

    NodeExit(int code) {
        super("the node exited with code " + code, null, false, false);
    }
}
