package goldnode.jvm;

import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLStreamHandler;
import java.util.Hashtable;
import java.util.Map;

/**
 * Puts tables that ask whose call it is in the place of two that the JDK has once: of security
 * providers, and of handlers of URLs.
 *
 * <p>Both fields are the JDK's own; the jar's manifest opens them, and a test on each Java tells when they move.
 */
final class JvmWide {
    private static final String PROVIDERS = "sun.security.jca.Providers";

    private JvmWide() {}

    /** Exchanges the tables; called once, before any node runs. */
    static void install() throws ReflectiveOperationException {
        Class<?> providers = Class.forName(PROVIDERS);
        replace(providers.getDeclaredField("threadLists"), new NodeProviders());
        Field used = providers.getDeclaredField("threadListsUsed");
        used.setAccessible(true);
        used.setInt(null, used.getInt(null) + 1); // else the JDK does not look
        Field handlers = URL.class.getDeclaredField("handlers");
        handlers.setAccessible(true);
        replace(handlers, new Handlers((Map<?, ?>) handlers.get(null)));
        URL.setURLStreamHandlerFactory(protocol -> {
            Owner owner = Keeper.caller();
            return owner == null || owner.own().factory == null
                    ? null : owner.own().factory.createURLStreamHandler(protocol);
        });
    }

    /** The JVM's own security providers, with which every life of a node begins. */
    static Object providers() {
        try {
            Field list = Class.forName(PROVIDERS).getDeclaredField("providerList");
            list.setAccessible(true);
            return list.get(null);
        } catch (ReflectiveOperationException moved) {
            throw new IllegalStateException("this Java hides its security providers", moved);
        }
    }

    /** Sets a final field, which reflection refuses; before any code that read it was compiled. */
    private static void replace(Field field, Object value) throws ReflectiveOperationException {
        Class<?> type = Class.forName("jdk.internal.misc.Unsafe");
        Object unsafe = type.getMethod("getUnsafe").invoke(null);
        Method base = type.getMethod("staticFieldBase", Field.class);
        Method offset = type.getMethod("staticFieldOffset", Field.class);
        type.getMethod("putReference", Object.class, long.class, Object.class)
                .invoke(unsafe, base.invoke(unsafe, field), offset.invoke(unsafe, field), value);
    }

    /** The JDK's table for itself and the host, and each node's own; a node finds no sibling's handler. */
    private static final class Handlers extends Hashtable<String, URLStreamHandler> {
        private static final long serialVersionUID = 1L;

        Handlers(Map<?, ?> known) {
            known.forEach((protocol, handler) -> super.put((String) protocol, (URLStreamHandler) handler));
        }

        @Override
        public URLStreamHandler get(Object protocol) {
            Owner owner = Keeper.caller();
            return owner == null ? super.get(protocol) : owner.own().handlers.get(protocol);
        }

        @Override
        public URLStreamHandler put(String protocol, URLStreamHandler handler) {
            Owner owner = Keeper.caller();
            return owner == null ? super.put(protocol, handler) : owner.own().handlers.put(protocol, handler);
        }
    }
}
