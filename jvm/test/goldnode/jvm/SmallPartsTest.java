package goldnode.jvm;

import static goldnode.jvm.Check.equal;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The parts that decide something by themselves: pauses, log files, JSON. */
final class SmallPartsTest {
    private SmallPartsTest() {}

    static void pausesDoubleUpToAMinute() {
        Backoff backoff = new Backoff();
        List<Long> pauses = java.util.stream.Stream.generate(() -> backoff.pause(5, 1)).limit(6).toList();
        equal(List.of(5L, 10L, 20L, 40L, 60L, 60L), pauses);
    }

    static void aLongLifeStartsThePausesAnew() {
        Backoff backoff = new Backoff();
        backoff.pause(5, 1);
        backoff.pause(5, 1);
        equal(5L, backoff.pause(5, 60));
    }

    static void aThousandEndsDoNotOverflow() {
        Backoff backoff = new Backoff();
        for (int end = 0; end < 1000; end++) {
            backoff.pause(5, 0);
        }
        equal(60L, backoff.pause(5, 0));
    }

    static void aFullLogIsSetAsideOnce() throws IOException {
        Path file = Files.createTempDirectory("log").resolve("node.log");
        try (LogFile log = new LogFile(file, 10)) {
            for (String word : List.of("first ", "second ", "third")) {
                log.write(word.getBytes(StandardCharsets.UTF_8));
            }
        }
        equal("third", Files.readString(file));
        equal("second ", Files.readString(file.resolveSibling("node.log.1")));
    }

    static void aLogIsContinuedAfterARestart() throws IOException {
        Path file = Files.createTempDirectory("log").resolve("node.log");
        for (int life = 1; life <= 2; life++) {
            try (LogFile log = new LogFile(file, 100)) {
                log.write('0' + life);
            }
        }
        equal("12", Files.readString(file));
    }

    static void jsonEscapesWhatItMust() {
        Map<String, Object> value = new LinkedHashMap<>();
        value.put("text", "a \"quote\", a \\ and\na line");
        value.put("list", List.of(1, true));
        equal("{\"text\":\"a \\\"quote\\\", a \\\\ and\\u000aa line\",\"list\":[1,true]}", Json.of(value));
    }
}
