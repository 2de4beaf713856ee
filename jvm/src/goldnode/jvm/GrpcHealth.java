package goldnode.jvm;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Asks a server of this machine for its health, as {@code grpc.health.v1.Health/Check} has it.
 *
 * <p>One request of HTTP/2 with prior knowledge (RFC 9113, 3.3), written by hand: the host has no dependency but
 * the JDK, whose own client cannot begin a connection without TLS this way.
 */
final class GrpcHealth {
    private static final int MILLIS = 2000;
    private static final int MOST_FRAMES = 64;
    private static final int MOST_BYTES = 1 << 16;
    private static final int DATA = 0;
    private static final int RESET = 3;
    private static final int SETTINGS = 4;
    private static final int PING = 6;
    private static final int GOAWAY = 7;
    private static final int HEADERS = 1;
    private static final int END_STREAM = 1;
    private static final int ACK = 1;
    private static final int END_HEADERS = 4;
    /** An empty HealthCheckRequest: the server as a whole. */
    private static final byte[] REQUEST = new byte[5];
    /** A HealthCheckResponse whose status is SERVING. */
    private static final byte[] SERVING = {0, 0, 0, 0, 2, 8, 1};

    private GrpcHealth() {}

    /** Whether the server says SERVING, within two seconds. */
    static boolean serving(int port) {
        try (Socket socket = new Socket()) {
            socket.setSoTimeout(MILLIS);
            socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), MILLIS);
            socket.getOutputStream().write(request());
            return Arrays.equals(SERVING, answer(socket));
        } catch (IOException silent) {
            return false;
        }
    }

    private static byte[] request() throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
        frame(out, SETTINGS, 0, 0, new byte[0]);
        ByteArrayOutputStream headers = new ByteArrayOutputStream();
        headers.write(0x83); // :method POST, :scheme http, of HPACK's static table
        headers.write(0x86);
        field(headers, new byte[] {0x04}, "/grpc.health.v1.Health/Check");
        field(headers, new byte[] {0x01}, "localhost");
        field(headers, new byte[] {0x0f, 0x10}, "application/grpc");
        headers.write(0);
        headers.write(2);
        field(headers, "te".getBytes(StandardCharsets.US_ASCII), "trailers");
        frame(out, HEADERS, END_HEADERS, 1, headers.toByteArray());
        frame(out, DATA, END_STREAM, 1, REQUEST);
        return out.toByteArray();
    }

    /** A header field that no table remembers: its name or its name's place, and its text. */
    private static void field(ByteArrayOutputStream out, byte[] name, String text) throws IOException {
        out.write(name);
        out.write(text.length());
        out.write(text.getBytes(StandardCharsets.US_ASCII));
    }

    private static void frame(ByteArrayOutputStream out, int type, int flags, int stream, byte[] payload)
            throws IOException {
        out.write(new byte[] {(byte) (payload.length >> 16), (byte) (payload.length >> 8), (byte) payload.length,
            (byte) type, (byte) flags, 0, 0, 0, (byte) stream});
        out.write(payload);
    }

    /** What the server sends as data, until it ends the stream. */
    private static byte[] answer(Socket socket) throws IOException {
        DataInputStream in = new DataInputStream(socket.getInputStream());
        ByteArrayOutputStream data = new ByteArrayOutputStream();
        for (int count = 0; count < MOST_FRAMES; count++) {
            int length = in.readUnsignedShort() << 8 | in.readUnsignedByte();
            int type = in.readUnsignedByte();
            int flags = in.readUnsignedByte();
            int stream = in.readInt() & Integer.MAX_VALUE;
            if (length > MOST_BYTES) {
                throw new IOException("a frame of " + length + " bytes");
            }
            byte[] payload = in.readNBytes(length);
            if ((type == SETTINGS || type == PING) && (flags & ACK) == 0) {
                ByteArrayOutputStream reply = new ByteArrayOutputStream();
                frame(reply, type, ACK, 0, type == PING ? payload : new byte[0]);
                socket.getOutputStream().write(reply.toByteArray());
            }
            if (type == DATA && stream == 1) {
                data.write(payload);
            }
            boolean over = stream == 1 && ((type == DATA || type == HEADERS) && (flags & END_STREAM) != 0 || type == RESET);
            if (over || type == GOAWAY) {
                return data.toByteArray();
            }
        }
        throw new IOException("no end");
    }
}
