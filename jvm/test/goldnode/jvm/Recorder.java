package goldnode.jvm;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import javax.management.MBeanServer;

/** An owner that writes down what a node's code asked of it, and the loader of such a node. */
final class Recorder implements Owner {
    final List<String> asked = new ArrayList<>();
    final ByteArrayOutputStream printed = new ByteArrayOutputStream();
    final Beans beans = new Beans();
    final Properties properties = new Properties();
    private final PrintStream out = new PrintStream(printed, true, StandardCharsets.UTF_8);
    private final Belongings own = new Belongings(this);
    private Thread.UncaughtExceptionHandler handler;

    /** A fresh loader over the test classes, owned by this recorder. */
    NodeLoader loader() {
        Path classes = Path.of(Recorder.class.getProtectionDomain().getCodeSource().getLocation().getPath());
        return new NodeLoader("recorded", List.of(classes), this);
    }

    /** Calls a method of the fixture inside a node of its own. */
    Object call(String method, Class<?>[] types, Object... arguments) throws ReflectiveOperationException {
        return loader().loadClass("fixture.Caller").getMethod(method, types).invoke(null, arguments);
    }

    Object call(String method) throws ReflectiveOperationException {
        return call(method, new Class<?>[0]);
    }

    @Override
    public void exit(int code) {
        asked.add("exit " + code);
    }

    @Override
    public void addHook(Thread hook) {
        asked.add("hook " + hook.getName());
    }

    @Override
    public boolean removeHook(Thread hook) {
        return asked.remove("hook " + hook.getName());
    }

    @Override
    public ForkJoinPool pool() {
        return ForkJoinPool.commonPool();
    }

    @Override
    public ScheduledFuture<?> delay(Runnable work, long delay, TimeUnit unit) {
        asked.add("delay " + delay);
        return null;
    }

    @Override
    public boolean over() {
        return false;
    }

    @Override
    public Belongings own() {
        return own;
    }

    @Override
    public Properties properties() {
        return properties;
    }

    @Override
    public MBeanServer beans() {
        return beans.view();
    }

    @Override
    public PrintStream out() {
        return out;
    }

    @Override
    public void setDefaultHandler(Thread.UncaughtExceptionHandler replacement) {
        handler = replacement;
    }

    @Override
    public Thread.UncaughtExceptionHandler defaultHandler() {
        return handler;
    }
}
