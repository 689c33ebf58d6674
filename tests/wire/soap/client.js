// A client by Node's package soap, which knows the services from their WSDL only.
//
//   node client.js users NAME             adds, finds, changes and deletes a user
//   node client.js groups NAME MEMBER...  the same with a hunt group of these users
//
// SOAP_URL, SOAP_USER and SOAP_PASSWORD say where and as whom; NODE_EXTRA_CA_CERTS whom to trust;
// SOAP_VERSION is 1.1 or 1.2.
// What the server answers is printed, one line each, as the clients in other languages do.
'use strict';

const soap = require('soap');

const { SOAP_URL, SOAP_USER, SOAP_PASSWORD, SOAP_VERSION } = process.env;
const say = (...words) => console.log(words.join(' '));
const list = (values) => [].concat(values ?? []).join(',');

async function connect() {
  const token = Buffer.from(`${SOAP_USER}:${SOAP_PASSWORD}`).toString('base64');
  const client = await soap.createClientAsync(`${SOAP_URL}/UserService?wsdl`, {
    wsdl_headers: { Authorization: `Basic ${token}` },
    forceSoap12Headers: SOAP_VERSION === '1.2',
  });
  client.setSecurity(new soap.BasicAuthSecurity(SOAP_USER, SOAP_PASSWORD));
  // Every port of the WSDL, each operation as a function that gives a promise of its result.
  const call = (port, operation, message) =>
    new Promise((resolve, reject) => {
      client.ConfigImplService[port][operation](message, (error, result) =>
        error ? reject(error) : resolve(result));
    });
  return {
    user: (operation, message) => call('UserService', operation, message),
    group: (operation, message) => call('CallGroupService', operation, message),
    system: (operation, message) => call('SystemService', operation, message),
  };
}

async function refused(promise) {
  try {
    await promise;
    say('not refused');
  } catch (error) {
    const fault = error.root?.Envelope?.Body?.Fault;
    if (!fault) throw error;
    const [code, text] = SOAP_VERSION === '1.2'
      ? [fault.Code.Value, fault.Reason.Text.$value ?? fault.Reason.Text]
      : [fault.faultcode, fault.faultstring];
    say('refused', code.replace(/.*:/, ''), text);
  }
}

async function users(name) {
  const { user, system } = await connect();
  const search = { byUserName: name };
  const show = async (criteria) => {
    const found = (await user('findUser', { search: criteria })).users?.user ?? [];
    for (const each of found) {
      say('user', each.userName, each.lastName, each.firstName, each.emailAddress,
        list(each.aliases), list(each.groups));
    }
    say('found', found.length);
  };
  const add = () => user('addUser', {
    user: {
      userName: name,
      lastName: 'Ortiz',
      firstName: 'Ben',
      sipPassword: `sip-of-${name}`,
      aliases: [`${name}-a`, `${name}-b`],
      emailAddress: `${name}@example.org`,
      groups: ['field-team'],
    },
    pin: `pin-of-${name}`,
  });
  say('realm', (await system('systemInfo', {})).domain.realm);
  await add();
  await show(search);
  await show({ byFuzzyUserNameOrAlias: `${name}-B` });
  await refused(add());
  await user('manageUser', {
    search,
    edit: [
      { property: 'lastName', value: 'Møller & Søn <Ltd>' },
      { property: 'aliases', value: `${name}-c` },
    ],
    addGroup: 'night-shift',
    removeGroup: 'field-team',
  });
  await show(search);
  await refused(user('manageUser', { search, edit: [{ property: 'shoeSize', value: '44' }] }));
  await user('manageUser', { search, deleteUser: true });
  await show(search);
}

async function groups(name, members) {
  const { group } = await connect();
  const show = async () => {
    const all = (await group('getCallGroups', {})).callGroups?.callGroup ?? [];
    const found = all.filter((each) => each.name === `group-${name}`);
    for (const each of found) {
      say('group', each.name, each.extension, each.description, each.enabled);
      for (const ring of each.rings) {
        say('ring', ring.position, ring.userName, ring.type, ring.expiration);
      }
    }
    say('found', found.length);
  };
  const add = (...names) => group('addCallGroup', {
    callGroup: {
      name: `group-${name}`,
      extension: name,
      description: 'Sales & Støtte',
      enabled: true,
      rings: names.map((userName, position) => ({
        expiration: 20 + position,
        type: position ? 'immediate' : 'delayed',
        position,
        userName,
      })),
    },
  });
  await refused(add(...members, `nobody-${name}`));
  await show();
  await add(...members);
  await show();
  await refused(add(...members));
  await group('removeCallGroup', { callGroup: name });
  await show();
}

const [what, name, ...members] = process.argv.slice(2);
(what === 'users' ? users(name) : groups(name, members)).catch((error) => {
  console.error(error.message, error.response?.data ?? '');
  process.exit(1);
});
