package goldnode.jvm;

import java.security.Provider;
import java.security.Security;
import java.util.ArrayList;
import java.util.List;
import java.util.logging.Handler;
import java.util.logging.LogManager;
import java.util.logging.Logger;

/** Takes a stopped node out of the JVM-wide lists it may have entered; each would keep its classes in memory. */
final class Leavings {
    private Leavings() {}

    /** Removes what was put there by classes of this loader, and names it; nothing else is touched. */
    static List<String> remove(ClassLoader loader) {
        List<String> removed = new ArrayList<>();
        for (Provider provider : Security.getProviders()) {
            if (provider.getClass().getClassLoader() == loader) {
                Security.removeProvider(provider.getName());
                removed.add("security provider " + provider.getName());
            }
        }
        Logger root = LogManager.getLogManager().getLogger("");
        for (Handler handler : root.getHandlers()) {
            if (handler.getClass().getClassLoader() == loader) {
                root.removeHandler(handler);
                removed.add("log handler " + handler.getClass().getName());
            }
        }
        return removed;
    }
}
