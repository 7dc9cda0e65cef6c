// Receiver of text for tests: a Swing text area. text_java.py starts it.
// Usage: TextSwing X Y W H REST
import java.awt.Point;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import javax.swing.JFrame;
import javax.swing.JScrollPane;
import javax.swing.JTextArea;
import javax.swing.SwingUtilities;
import javax.swing.Timer;
import javax.swing.event.DocumentEvent;
import javax.swing.event.DocumentListener;

public class TextSwing {
    static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    static String quoted(String text) {
        StringBuilder json = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            json.append(c < ' ' || c > '~' || c == '"' || c == '\\' ? String.format("\\u%04x", (int) c) : c);
        }
        return json.append('"').toString();
    }

    static void show(int x, int y, int w, int h, int rest) {
        JFrame frame = new JFrame("receiver");
        frame.setUndecorated(true);
        JTextArea text = new JTextArea();
        text.setLineWrap(true);
        frame.add(new JScrollPane(text));
        frame.setBounds(x, y, w, h);
        Timer resting = new Timer(rest, e -> say("{\"event\":\"text\",\"text\":" + quoted(text.getText()) + "}"));
        resting.setRepeats(false);
        text.getDocument().addDocumentListener(new DocumentListener() {
            public void insertUpdate(DocumentEvent e) { resting.restart(); }
            public void removeUpdate(DocumentEvent e) { resting.restart(); }
            public void changedUpdate(DocumentEvent e) { }
        });
        frame.setVisible(true);
        text.requestFocusInWindow();
        Timer focused = new Timer(20, null);
        focused.addActionListener(e -> {
            if (text.isFocusOwner()) {
                focused.stop();
                Point at = frame.getLocationOnScreen();
                say(String.format("{\"event\":\"ready\",\"x\":%d,\"y\":%d,\"w\":%d,\"h\":%d}",
                    at.x, at.y, frame.getWidth(), frame.getHeight()));
            }
        });
        focused.start();
        Thread commands = new Thread(() -> {
            try (BufferedReader lines = new BufferedReader(new InputStreamReader(System.in))) {
                for (String line; (line = lines.readLine()) != null;) {
                    if (line.trim().equals("clear")) {
                        SwingUtilities.invokeAndWait(() -> {
                            text.setText("");
                            resting.stop();
                        });
                        say("{\"event\":\"cleared\"}");
                    }
                }
            } catch (Exception e) {
                e.printStackTrace();
            }
            System.exit(0);
        });
        commands.setDaemon(true);
        commands.start();
    }

    public static void main(String[] args) {
        int[] n = new int[5];
        for (int i = 0; i < 5; i++) {
            n[i] = Integer.parseInt(args[i]);
        }
        SwingUtilities.invokeLater(() -> show(n[0], n[1], n[2], n[3], n[4]));
    }
}
