package breaker;

/**
 * Stands before a node's own main and breaks the node: at once, or as a kill does, after some seconds.
 *
 * <p>{@code breaker.main} is the class to start, {@code breaker.seconds} when to end it; without seconds
 * nothing is started, and the error that ends this main is the crash.
 */
public final class Breaker {
    private Breaker() {}

    public static void main(String[] arguments) throws Exception {
        String seconds = System.getProperty("breaker.seconds");
        if (seconds == null) {
            throw new IllegalStateException("broken, as told");
        }
        Thread killer = new Thread(() -> kill(Long.parseLong(seconds)), "killer");
        killer.setDaemon(true);
        killer.start();
        Class.forName(System.getProperty("breaker.main")).getMethod("main", String[].class)
                .invoke(null, (Object) arguments);
    }

    private static void kill(long seconds) {
        try {
            Thread.sleep(1000 * seconds);
        } catch (InterruptedException over) {
            return;
        }
        Runtime.getRuntime().halt(137);
    }
}
