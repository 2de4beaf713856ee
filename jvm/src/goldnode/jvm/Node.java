package goldnode.jvm;

import java.io.IOException;
import java.lang.ref.WeakReference;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * One node over all its lives: starts, stops, and starts again what ended by itself.
 *
 * <p>Everything that changes it happens on one thread of its own, in order; a node that blocks
 * therefore blocks nobody else.
 */
final class Node implements Life.Listener {
    /** Where a node stands; {@code waiting} is between an end of its own and the next start. */
    enum State { STOPPED, STARTING, RUNNING, STOPPING, WAITING, STUCK }

    private static final int PROBE_MILLIS = 250;

    private final String name;
    private final Path folder;
    private final ThreadGroup parent;
    private final ScheduledThreadPoolExecutor control;
    private final Backoff backoff = new Backoff();
    private final List<WeakReference<ClassLoader>> lives = new ArrayList<>();
    private volatile State state = State.STOPPED;
    private volatile String reason = "";
    private volatile int starts;
    private volatile Spec spec;
    private volatile Life life;
    private long startedAt;
    private Future<?> pending;

    Node(String name, Path folder, ThreadGroup parent) {
        this.name = name;
        this.folder = folder;
        this.parent = parent;
        spec = Spec.read(folder, name);
        control = new ScheduledThreadPoolExecutor(1, this::controlThread);
        control.setRemoveOnCancelPolicy(true);
        control.prestartCoreThread(); // made here, not by a thread of the node, from which it would inherit
    }

    String name() {
        return name;
    }

    private Thread controlThread(Runnable work) {
        Thread thread = new Thread(parent, work, "control-" + name);
        thread.setDaemon(true);
        return thread;
    }

    /** Starts the node; returns when its start has begun. */
    String start() {
        return await(() -> {
            if (state == State.STARTING || state == State.RUNNING) {
                return name + " runs already";
            }
            launch();
            return name + " starts";
        });
    }

    /** Stops the node; returns when nothing of it runs, or when it has become clear that something will. */
    String stop() {
        return await(() -> {
            halt("stopped by command", State.STOPPED);
            return name + " stopped";
        });
    }

    /** Stops the node and starts it with fresh classes. */
    String restart() {
        return await(() -> {
            halt("restarted by command", State.STOPPED);
            launch();
            return name + " starts again";
        });
    }

    /** Stops the node for good; it takes no command afterwards. */
    String remove() {
        String answer = stop();
        control.shutdown();
        return answer.replace("stopped", "removed");
    }

    /** What is known of the node, for people and programs. */
    Map<String, Object> status() {
        Map<String, Object> status = new LinkedHashMap<>();
        Life now = life;
        status.put("name", name);
        status.put("state", state.name().toLowerCase());
        status.put("ready", ready());
        status.put("inside", inside());
        status.put("restarts", Math.max(0, starts - 1));
        status.put("threads", now == null ? 0 : now.threads());
        Seen seen = now == null ? Seen.nothing() : now.seen();
        status.put("height", seen.height());
        status.put("head", seen.head());
        status.put("peers", seen.peers());
        status.put("cpu_millis", now == null ? 0L : now.usage().cpuMillis());
        status.put("allocated_bytes", now == null ? 0L : now.usage().allocated());
        status.put("reason", reason);
        status.put("home", spec.home().toString());
        status.put("log", spec.log().toString());
        return status;
    }

    /** Bytes that this life of it has allocated, as they are at this moment. */
    long allocated() {
        Life now = life;
        return now == null ? 0 : now.used().allocated();
    }

    /** Every thread of it, with what it does. */
    String dump() {
        Life now = life;
        return now == null ? "" : now.dump();
    }

    /** Has it log so much from now on, until it starts again. */
    String logAt(String level) {
        Life now = life;
        if (now == null) {
            throw new IllegalStateException(name + " does not run");
        }
        now.logAt(level);
        return name + " logs " + level + " until it starts again";
    }

    /** Where its log is. */
    Path logs() {
        return spec.log().toAbsolutePath().getParent();
    }

    /** Whether the node runs, says so itself if it tells, and accepts connections at each port to tell by. */
    boolean ready() {
        Life now = life;
        return now != null && now.seen().works() && answers(spec.readyPort()) && spec.inside().values().stream().allMatch(this::answers);
    }

    /** Which of the nodes that the program hosts by itself are ready; empty when it hosts none. */
    Map<String, Object> inside() {
        Map<String, Object> ready = new TreeMap<>();
        spec.inside().forEach((inner, port) -> ready.put(inner, answers(port)));
        return ready;
    }

    private boolean answers(int port) {
        if (state != State.RUNNING || port == 0) {
            return state == State.RUNNING;
        }
        if (spec.readyByGrpc()) {
            return GrpcHealth.serving(port);
        }
        try (Socket probe = new Socket()) {
            probe.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), PROBE_MILLIS);
            return probe.getLocalPort() != port; // else the probe met itself, as TCP allows
        } catch (IOException refused) {
            return false;
        }
    }

    /** How many former or present lives still have their classes in memory. */
    int loadersAlive() {
        synchronized (lives) {
            lives.removeIf(trace -> trace.get() == null);
            return lives.size();
        }
    }

    @Override
    public void running(Life started) {
        control.execute(() -> {
            if (started == life && state == State.STARTING) {
                state = State.RUNNING;
            }
        });
    }

    @Override
    public void ended(Life over, String why) {
        control.execute(() -> {
            if (over != life || state != State.STARTING && state != State.RUNNING) {
                return;
            }
            try {
                halt(why, State.WAITING);
            } catch (IllegalStateException stuck) {
                System.err.println("goldnode: " + stuck.getMessage());
                return;
            }
            relaunchLater(name + " ended (" + why + ")");
        });
    }

    private void relaunchLater(String why) {
        long pause = backoff.pause(spec.restartSeconds(), seconds() - startedAt);
        System.err.println("goldnode: " + why + ", starts again in " + pause + " s");
        pending = control.schedule(this::relaunch, pause, TimeUnit.SECONDS);
    }

    /** What keeps it from starting may pass: a file that is being written, or no file that may be opened any more. */
    private void relaunch() {
        try {
            launch();
        } catch (IllegalArgumentException | IllegalStateException error) {
            reason = error.getMessage();
            relaunchLater(reason);
        }
    }

    private void launch() {
        cancelPending();
        if (life != null) {
            throw new IllegalStateException(reason);
        }
        spec = Spec.read(folder, name);
        try {
            life = new Life(spec, parent, this);
        } catch (IOException error) {
            throw new IllegalStateException(name + " cannot start: " + error, error);
        }
        synchronized (lives) {
            lives.add(life.trace());
        }
        reason = "";
        starts++;
        startedAt = seconds();
        state = State.STARTING;
        life.start();
    }

    private void halt(String why, State next) {
        cancelPending();
        if (life == null) {
            state = next;
            return;
        }
        if (state == State.STUCK && life.lingers()) {
            throw new IllegalStateException(reason);
        }
        state = State.STOPPING;
        List<String> faults = end();
        if (life.lingers()) {
            reason = name + " is stuck (" + why + "): " + String.join("; ", faults)
                    + "; restart goldnode-jvm.service to free what it holds";
            state = State.STUCK;
            throw new IllegalStateException(reason);
        }
        life = null;
        reason = faults.isEmpty() ? why : why + "; " + String.join("; ", faults);
        state = next;
    }

    private List<String> end() {
        try {
            return life.stop();
        } catch (IOException | InterruptedException | RuntimeException | Error error) {
            error.printStackTrace(); // a fault of the host
            return List.of(error.toString());
        }
    }

    private void cancelPending() {
        if (pending != null) {
            pending.cancel(false);
            pending = null;
        }
    }

    private String await(Callable<String> work) {
        try {
            return control.submit(work).get();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while " + name + " was at work");
        } catch (ExecutionException error) {
            if (error.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            throw new IllegalStateException(error.getCause());
        }
    }

    private static long seconds() {
        return TimeUnit.NANOSECONDS.toSeconds(System.nanoTime());
    }
}
