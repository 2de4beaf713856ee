package goldnode.jvm;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/** What one node prints: appended to its file, which is set aside once at a limit, so a disk never fills. */
final class LogFile extends OutputStream {
    private final Path file;
    private final long limit;
    private OutputStream stream;
    private long size;

    /**
     * Opens the file, or makes it.
     *
     * @param limit bytes after which the file becomes {@code FILE.1} and a new one is begun
     */
    LogFile(Path file, long limit) throws IOException {
        this.file = file;
        this.limit = limit;
        Files.createDirectories(file.toAbsolutePath().getParent());
        open();
    }

    @Override
    public synchronized void write(int single) throws IOException {
        write(new byte[] {(byte) single}, 0, 1);
    }

    @Override
    public synchronized void write(byte[] bytes, int offset, int length) throws IOException {
        if (size + length > limit && size > 0) {
            stream.close();
            Path old = file.resolveSibling(file.getFileName() + ".1");
            Files.move(file, old, StandardCopyOption.REPLACE_EXISTING);
            open();
        }
        stream.write(bytes, offset, length);
        size += length;
    }

    @Override
    public synchronized void close() throws IOException {
        stream.close();
    }

    private void open() throws IOException {
        stream = Files.newOutputStream(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        size = Files.size(file);
    }
}
