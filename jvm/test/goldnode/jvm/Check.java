package goldnode.jvm;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.List;
import java.util.Objects;

/**
 * Runs every test method of every test class and says how it went, one line each.
 *
 * <p>A test is a static method without arguments; its name is the promise. Three dozen tests do not
 * justify a framework with jars of its own to pin.
 */
public final class Check {
    private static final List<Class<?>> CLASSES = List.of(
            RewriterTest.class, BodiesTest.class, NodeLoaderTest.class, SpecTest.class, SmallPartsTest.class,
            PoolsTest.class);

    private Check() {}

    public static void main(String[] arguments) throws ReflectiveOperationException {
        int failed = 0;
        for (Class<?> tests : CLASSES) {
            for (Method test : tests.getDeclaredMethods()) {
                if (Modifier.isStatic(test.getModifiers()) && !Modifier.isPrivate(test.getModifiers())
                        && test.getParameterCount() == 0 && !test.isSynthetic()) {
                    failed += run(tests.getSimpleName() + "." + test.getName(), test);
                }
            }
        }
        System.exit(failed == 0 ? 0 : 1);
    }

    private static int run(String name, Method test) throws IllegalAccessException {
        try {
            test.setAccessible(true);
            test.invoke(null);
            System.out.println("ok " + name);
            return 0;
        } catch (InvocationTargetException error) {
            System.out.println("FAILED " + name + ": " + error.getCause());
            error.getCause().printStackTrace(System.out);
            return 1;
        }
    }

    static void equal(Object expected, Object actual) {
        if (!Objects.equals(expected, actual)) {
            throw new AssertionError("expected " + expected + ", got " + actual);
        }
    }

    /** The message of what the work throws. */
    static String thrown(Class<? extends Throwable> kind, Work work) {
        try {
            work.run();
        } catch (Throwable error) {
            Throwable cause = error instanceof InvocationTargetException wrapped ? wrapped.getCause() : error;
            equal(kind, cause.getClass());
            return String.valueOf(cause.getMessage());
        }
        throw new AssertionError("no " + kind.getSimpleName() + " was thrown");
    }

    interface Work {
        void run() throws Throwable;
    }
}
