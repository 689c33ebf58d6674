import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.rmi.RemoteException;
import java.util.Arrays;
import org.apache.axis.AxisFault;
import stubs.*;

/**
 * A client by the stubs that Axis 1.4 generates from the WSDL, in the package <code>stubs</code>.
 *
 * <pre>
 *   java Client users NAME             adds, finds, changes and deletes a user
 *   java Client groups NAME MEMBER...  the same with a hunt group of these users
 * </pre>
 *
 * SOAP_USER and SOAP_PASSWORD say as whom; the addresses are those of the WSDL. What the server
 * answers is printed, one line each, as the clients in other languages do.
 */
public class Client {
    private static final PrintStream OUT =
            new PrintStream(System.out, true, StandardCharsets.UTF_8);

    private final ConfigImplServiceLocator services = new ConfigImplServiceLocator();
    private final String name;

    private Client(String name) {
        this.name = name;
    }

    public static void main(String[] words) throws Exception {
        Client client = new Client(words[1]);
        if (words[0].equals("users")) {
            client.users();
        } else {
            client.groups(Arrays.copyOfRange(words, 2, words.length));
        }
    }

    private static <Port> Port loggedIn(Port port) {
        org.apache.axis.client.Stub stub = (org.apache.axis.client.Stub) port;
        stub.setUsername(System.getenv("SOAP_USER"));
        stub.setPassword(System.getenv("SOAP_PASSWORD"));
        return port;
    }

    private static void say(Object... words) {
        OUT.println(String.join(" ", Arrays.stream(words).map(String::valueOf).toList()));
    }

    private static String list(String[] values) {
        return values == null ? "" : String.join(",", values);
    }

    private interface Step {
        void take() throws RemoteException;
    }

    private static void refused(Step step) throws RemoteException {
        try {
            step.take();
            say("not refused");
        } catch (AxisFault fault) {
            say("refused", fault.getFaultCode().getLocalPart(), fault.getFaultString());
        }
    }

    // Users

    private void users() throws Exception {
        UserService_PortType service = loggedIn(services.getUserService());
        SystemService_PortType system = loggedIn(services.getSystemService());
        say("realm", system.systemInfo().getDomain().getRealm());
        service.addUser(newUser());
        show(service, byName());
        show(service, new UserSearch(null, name + "-B", null));
        refused(() -> service.addUser(newUser()));
        ManageUser change = new ManageUser();
        change.setSearch(byName());
        change.setEdit(new Property[] {
            new Property("lastName", "Møller & Søn <Ltd>"), new Property("aliases", name + "-c")
        });
        change.setAddGroup("night-shift");
        change.setRemoveGroup("field-team");
        service.manageUser(change);
        show(service, byName());
        ManageUser wrong = new ManageUser();
        wrong.setSearch(byName());
        wrong.setEdit(new Property[] {new Property("shoeSize", "44")});
        refused(() -> service.manageUser(wrong));
        ManageUser end = new ManageUser();
        end.setSearch(byName());
        end.setDeleteUser(true);
        service.manageUser(end);
        show(service, byName());
    }

    private UserSearch byName() {
        return new UserSearch(name, null, null);
    }

    private AddUser newUser() {
        User user = new User();
        user.setUserName(name);
        user.setLastName("Ortiz");
        user.setFirstName("Ben");
        user.setSipPassword("sip-of-" + name);
        user.setAliases(new String[] {name + "-a", name + "-b"});
        user.setEmailAddress(name + "@example.org");
        user.setGroups(new String[] {"field-team"});
        return new AddUser(user, "pin-of-" + name, "vmpin-of-" + name);
    }

    private static void show(UserService_PortType service, UserSearch search)
            throws RemoteException {
        User[] found = service.findUser(new FindUser(search)).getUsers();
        for (User each : found) {
            say("user", each.getUserName(), each.getLastName(), each.getFirstName(),
                    each.getEmailAddress(), list(each.getAliases()), list(each.getGroups()));
        }
        say("found", found.length);
    }

    // Hunt groups

    private void groups(String[] members) throws Exception {
        CallGroupService_PortType service = loggedIn(services.getCallGroupService());
        String[] tooMany = Arrays.copyOf(members, members.length + 1);
        tooMany[members.length] = "nobody-" + name;
        refused(() -> service.addCallGroup(newGroup(tooMany)));
        show(service);
        service.addCallGroup(newGroup(members));
        show(service);
        refused(() -> service.addCallGroup(newGroup(members)));
        service.removeCallGroup(new RemoveCallGroup(name));
        show(service);
    }

    private AddCallGroup newGroup(String[] members) {
        UserRing[] rings = new UserRing[members.length];
        for (int each = 0; each < members.length; each++) {
            String type = each == 0 ? "delayed" : "immediate";
            rings[each] = new UserRing(20 + each, type, each, members[each]);
        }
        return new AddCallGroup(
                new CallGroup("group-" + name, name, "Sales & Støtte", true, rings));
    }

    private void show(CallGroupService_PortType service) throws RemoteException {
        int count = 0;
        for (CallGroup each : service.getCallGroups().getCallGroups()) {
            if (!each.getName().equals("group-" + name)) {
                continue;
            }
            say("group", each.getName(), each.getExtension(), each.getDescription(),
                    each.getEnabled());
            for (UserRing ring : each.getRings()) {
                say("ring", ring.getPosition(), ring.getUserName(), ring.getType(),
                        ring.getExpiration());
            }
            count++;
        }
        say("found", count);
    }
}
