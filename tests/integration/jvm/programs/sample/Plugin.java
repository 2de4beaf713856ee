package sample;

/** Code that a program loads with a class loader of its own. */
public final class Plugin {
    private Plugin() {}

    public static void exit() {
        System.exit(7);
    }

    public static String property() {
        return System.getProperty("node.name");
    }
}
