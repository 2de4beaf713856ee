package goldnode.jvm;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.JarURLConnection;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.net.URLConnection;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.CodeSource;
import java.security.cert.Certificate;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.jar.Manifest;

/**
 * The classes of one life of one node: the jars are shared on disk, static state is not.
 *
 * <p>Parent is the platform class loader, so that nothing of the host or of a sibling is in sight,
 * except the few types of this package that both sides must agree on.
 */
public final class NodeLoader extends URLClassLoader {
    private static final String HOST = "goldnode.jvm.";
    private static final List<String> OWN = List.of("goldnode.jvm.inside.", "goldnode.jvm.adapters.");

    static {
        registerAsParallelCapable();
    }

    private static final AtomicLong LIVES = new AtomicLong();

    private final Owner owner;

    /** Each loader has a name of its own, by which its frames are told from those of the node's former life. */
    NodeLoader(String name, List<Path> jars, Owner owner) {
        super(name + "@" + LIVES.incrementAndGet(), urls(jars), ClassLoader.getPlatformClassLoader());
        this.owner = owner;
    }

    /** The node whose classes these are. */
    public Owner owner() {
        return owner;
    }

    /** The node's loader that this one is, or that stands above it; null when there is none. */
    static NodeLoader above(ClassLoader loader) {
        for (ClassLoader at = loader; at != null; at = at.getParent()) {
            if (at instanceof NodeLoader node) {
                return node;
            }
        }
        return loader != null && loader.getClass().getClassLoader() instanceof NodeLoader node ? node : null;
    }

    /** Whether classes of that loader find those of a node, {@link goldnode.jvm.inside.Self} among them. */
    static boolean isBelow(ClassLoader loader) {
        ClassLoader at = loader;
        while (at != null && !(at instanceof NodeLoader)) {
            at = at.getParent();
        }
        return at != null;
    }

    /** Class names in {@code META-INF/services} of all jars, in their order. */
    public List<String> serviceNames(String service) {
        List<String> names = new ArrayList<>();
        try {
            for (URL url : Collections.list(findResources("META-INF/services/" + service))) {
                new String(read(url), StandardCharsets.UTF_8).lines()
                        .map(line -> line.replaceFirst("#.*", "").strip())
                        .filter(line -> !line.isEmpty())
                        .forEach(names::add);
            }
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        return names;
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
        if (!name.startsWith(HOST)) {
            return super.loadClass(name, resolve);
        }
        if (OWN.stream().noneMatch(name::startsWith)) {
            return Class.forName(name, false, NodeLoader.class.getClassLoader());
        }
        synchronized (getClassLoadingLock(name)) {
            Class<?> loaded = findLoadedClass(name);
            return loaded != null ? loaded : defineOwn(name);
        }
    }

    @Override
    protected Class<?> findClass(String name) throws ClassNotFoundException {
        URL url = findResource(fileName(name));
        if (url == null) {
            throw new ClassNotFoundException(name);
        }
        try {
            URLConnection connection = url.openConnection();
            byte[] content = Rewriter.rewrite(read(connection), Redirects.NODE);
            definePackageOf(name, connection);
            return defineClass(name, content, 0, content.length, source(url, connection));
        } catch (IOException error) {
            throw new ClassNotFoundException(name, error);
        }
    }

    private Class<?> defineOwn(String name) throws ClassNotFoundException {
        URL url = NodeLoader.class.getClassLoader().getResource(fileName(name));
        if (url == null) {
            return findClass(name);
        }
        try {
            byte[] content = read(url);
            return defineClass(name, content, 0, content.length, NodeLoader.class.getProtectionDomain());
        } catch (IOException error) {
            throw new ClassNotFoundException(name, error);
        }
    }

    /** Programs ask their package for a version, which stands in the jar's manifest. */
    private void definePackageOf(String name, URLConnection connection) throws IOException {
        int dot = name.lastIndexOf('.');
        if (dot < 0 || getDefinedPackage(name.substring(0, dot)) != null) {
            return;
        }
        Manifest manifest = connection instanceof JarURLConnection jar ? jar.getManifest() : null;
        try {
            definePackage(name.substring(0, dot), manifest == null ? new Manifest() : manifest, null);
        } catch (IllegalArgumentException raced) {
            // Another thread defined it between the question and here: it is the same package.
        }
    }

    /** Some programs (Flyway) look for their own jar, and fail when a class has no source. */
    private static CodeSource source(URL url, URLConnection connection) {
        if (connection instanceof JarURLConnection jar) {
            return new CodeSource(jar.getJarFileURL(), (Certificate[]) null);
        }
        return new CodeSource(url, (Certificate[]) null);
    }

    private static byte[] read(URL url) throws IOException {
        return read(url.openConnection());
    }

    private static byte[] read(URLConnection connection) throws IOException {
        try (InputStream stream = connection.getInputStream()) {
            return stream.readAllBytes();
        }
    }

    private static String fileName(String className) {
        return className.replace('.', '/') + ".class";
    }

    private static URL[] urls(List<Path> jars) {
        return jars.stream().map(NodeLoader::url).toArray(URL[]::new);
    }

    private static URL url(Path jar) {
        try {
            return jar.toUri().toURL();
        } catch (MalformedURLException error) {
            throw new IllegalArgumentException(jar + " is no file of this machine", error);
        }
    }
}
