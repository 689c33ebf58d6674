#!/usr/bin/perl
# A client by SOAP::Lite, which looks at no WSDL: it names the elements, and types the values.
#
#   perl client.pl users NAME             adds, finds, changes and deletes a user
#   perl client.pl groups NAME MEMBER...  the same with a hunt group of these users
#
# SOAP_URL, SOAP_USER and SOAP_PASSWORD say where and as whom; PERL_LWP_SSL_CA_FILE whom to trust.
# What the server answers is printed, one line each, as the clients in other languages do.
use strict;
use warnings;
use utf8;

use SOAP::Lite;

binmode STDOUT, ':encoding(UTF-8)';
my $namespace = 'http://www.sipfoundry.org/2007/08/21/ConfigService';

# Asked for when the server has challenged.
sub SOAP::Transport::HTTP::Client::get_basic_credentials {
    return $ENV{SOAP_USER} => $ENV{SOAP_PASSWORD};
}

sub proxy {
    my ($service) = @_;
    # A fault is an answer like any other.
    return SOAP::Lite->new(proxy => "$ENV{SOAP_URL}/$service", on_fault => sub { $_[1] });
}

# As the samples for sipXcom do it: the namespace is the default one of the element and all in it.
sub in_default_namespace {
    my ($service, $element, @members) = @_;
    my $name = SOAP::Data->name($element)->attr({xmlns => $namespace});
    return proxy($service)->uri($namespace)->call($name, @members);
}

# By the operation's name, which has a prefix, and members without a namespace.
sub by_operation {
    my ($service, $operation, @members) = @_;
    return proxy($service)->ns($namespace)->call($operation, @members);
}

# One element for each value; and one with others in it.
sub text {
    my ($name, @values) = @_;
    return map { SOAP::Data->type(string => $_)->name($name) } @values;
}

sub tree {
    my ($name, @members) = @_;
    return SOAP::Data->name($name => \SOAP::Data->value(@members));
}

sub say { print join(' ', @_), "\n" }

sub done {
    my ($answer) = @_;
    die "no answer: $answer\n" unless ref $answer;
    die $answer->faultcode . ' ' . $answer->faultstring . "\n" if $answer->fault;
    return $answer;
}

sub refused {
    my ($answer) = @_;
    return say('not refused') unless $answer->fault;
    say('refused', $answer->faultcode =~ s/.*://r, $answer->faultstring);
}

sub users {
    my ($name) = @_;
    my $show = sub {
        my $answer = done(in_default_namespace('UserService', FindUser => tree(search => @_)));
        my $count = () = $answer->valueof('//users/user');
        foreach my $each (1 .. $count) {
            my $user = "//users/[$each]";
            my @words = qw(userName lastName firstName emailAddress);
            @words = map { $answer->valueof("$user/$_") } @words;
            say('user', @words, map { join ',', $answer->valueof("$user/$_") } qw(aliases groups));
        }
        say('found', $count);
    };
    my $add = sub {
        my $user = tree(user =>
            text(userName => $name), text(lastName => 'Ortiz'), text(firstName => 'Ben'),
            text(sipPassword => "sip-of-$name"), text(aliases => "$name-a", "$name-b"),
            text(emailAddress => "$name\@example.org"), text(groups => 'field-team'));
        return in_default_namespace('UserService', AddUser => $user, text(pin => "pin-of-$name"));
    };
    my $manage = sub {
        my $search = tree(search => text(byUserName => $name));
        return in_default_namespace('UserService', ManageUser => $search, @_);
    };
    my $edit = sub { return tree(edit => text(property => $_[0]), text(value => $_[1])) };

    say('realm', done(in_default_namespace('SystemService', 'SystemInfo'))->result->{realm});
    done($add->());
    $show->(text(byUserName => $name));
    $show->(text(byFuzzyUserNameOrAlias => "$name-B"));
    refused($add->());
    done($manage->(
        $edit->(lastName => 'Møller & Søn <Ltd>'), $edit->(aliases => "$name-c"),
        text(addGroup => 'night-shift'), text(removeGroup => 'field-team')));
    $show->(text(byUserName => $name));
    refused($manage->($edit->(shoeSize => '44')));
    done($manage->(SOAP::Data->name('deleteUser')->type(boolean => 'true')));
    $show->(text(byUserName => $name));
}

sub groups {
    my ($name, @members) = @_;
    my $show = sub {
        my $answer = done(by_operation(CallGroupService => 'getCallGroups'));
        my $count = 0;
        foreach my $each (1 .. (() = $answer->valueof('//callGroups/callGroup'))) {
            my $group = "//callGroups/[$each]";
            next unless $answer->valueof("$group/name") eq "group-$name";
            my @words = qw(name extension description enabled);
            say('group', map { $answer->valueof("$group/$_") } @words);
            say('ring', @$_{qw(position userName type expiration)})
                foreach $answer->valueof("$group/rings");
            $count++;
        }
        say('found', $count);
    };
    my $add = sub {
        my @users = @_;
        # What looks like a number is typed as one, also where the server has a string.
        my @rings = map {
            tree(rings =>
                SOAP::Data->name(expiration => 20 + $_),
                SOAP::Data->name(type => $_ ? 'immediate' : 'delayed'),
                SOAP::Data->name(position => $_), SOAP::Data->name(userName => $users[$_]));
        } 0 .. $#users;
        return by_operation(CallGroupService => addCallGroup => tree(callGroup =>
            SOAP::Data->name(name => "group-$name"), SOAP::Data->name(extension => $name),
            text(description => 'Sales & Støtte'), SOAP::Data->name('enabled')->type(boolean => 1),
            @rings));
    };

    refused($add->(@members, "nobody-$name"));
    $show->();
    done($add->(@members));
    $show->();
    refused($add->(@members));
    done(by_operation(CallGroupService => removeCallGroup => SOAP::Data->name(callGroup => $name)));
    $show->();
}

my ($what, @names) = @ARGV;
$what eq 'users' ? users(@names) : groups(@names);
