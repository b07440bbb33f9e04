// The functions that every proxy script may call, as browsers have them (ES5). Lookups, this
// machine's address and the time are the three natives __resolve, __own and __now.
(function (global, resolve, own, now) {
  'use strict';
  var DAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];
  var MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];

  function lower(text) { return String(text).toLowerCase(); }
  function quad(text) {
    var m = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(String(text));
    if (!m || m[1] > 255 || m[2] > 255 || m[3] > 255 || m[4] > 255) return null;
    return ((m[1] << 24) | (m[2] << 16) | (m[3] << 8) | m[4]) >>> 0;
  }
  function address(host) {
    return quad(host) !== null ? String(host) : resolve(String(host)) || null;
  }
  // The arguments without a last 'GMT', and the parts of the time in that zone.
  function zoned(list) {
    var args = Array.prototype.slice.call(list);
    var d = new Date(now());
    if (args.length > 0 && args[args.length - 1] === 'GMT') {
      args.pop();
      return { args: args, year: d.getUTCFullYear(), month: d.getUTCMonth(), date: d.getUTCDate(),
               day: d.getUTCDay(), second: d.getUTCHours() * 3600 + d.getUTCMinutes() * 60 + d.getUTCSeconds() };
    }
    return { args: args, year: d.getFullYear(), month: d.getMonth(), date: d.getDate(),
             day: d.getDay(), second: d.getHours() * 3600 + d.getMinutes() * 60 + d.getSeconds() };
  }
  // From first to last, round the turn of the week, the year or midnight where first is the later.
  function within(first, at, last) {
    return first <= last ? first <= at && at <= last : at >= first || at <= last;
  }

  global.isPlainHostName = function (host) { return String(host).indexOf('.') < 0; };
  global.dnsDomainIs = function (host, domain) {
    host = lower(host);
    domain = lower(domain);
    return host.length >= domain.length && host.substring(host.length - domain.length) === domain;
  };
  global.localHostOrDomainIs = function (host, full) {
    host = lower(host);
    full = lower(full);
    return host === full || (host.indexOf('.') < 0 && full.substring(0, host.length + 1) === host + '.');
  };
  global.dnsDomainLevels = function (host) { return String(host).split('.').length - 1; };
  global.dnsResolve = address;
  global.isResolvable = function (host) { return address(host) !== null; };
  global.myIpAddress = function () { return own(); };
  global.convert_addr = function (text) {
    var value = quad(text);
    return value === null ? 0 : value;
  };
  global.isInNet = function (host, net, mask) {
    var at = quad(address(host)), wanted = quad(net), bits = quad(mask);
    if (at === null || wanted === null || bits === null) return false;
    return ((at & bits) >>> 0) === ((wanted & bits) >>> 0);
  };
  // '*' and '?' only. Steps back to the last star, so that no pattern takes more than length times length.
  global.shExpMatch = function (text, pattern) {
    text = String(text);
    pattern = String(pattern);
    var t = 0, p = 0, star = -1, from = 0;
    while (t < text.length) {
      var c = pattern.charAt(p);
      if (c === '*') { star = p++; from = t; }
      else if (p < pattern.length && (c === '?' || c === text.charAt(t))) { ++p; ++t; }
      else if (star >= 0) { p = star + 1; t = ++from; }
      else return false;
    }
    while (pattern.charAt(p) === '*') ++p;
    return p === pattern.length;
  };

  global.weekdayRange = function () {
    var z = zoned(arguments);
    var first = DAYS.indexOf(String(z.args[0]).toUpperCase());
    var last = z.args.length > 1 ? DAYS.indexOf(String(z.args[1]).toUpperCase()) : first;
    return first >= 0 && last >= 0 && within(first, z.day, last);
  };
  global.timeRange = function () {
    var z = zoned(arguments), a = z.args, hour = Math.floor(z.second / 3600);
    switch (a.length) {
      case 1: return hour === Number(a[0]);
      case 2: return within(Number(a[0]), hour, Number(a[1]));
      case 4: return within(a[0] * 3600 + a[1] * 60, z.second, a[2] * 3600 + a[3] * 60 + 59);
      case 6: return within(a[0] * 3600 + a[1] * 60 + Number(a[2]), z.second, a[3] * 3600 + a[4] * 60 + Number(a[5]));
    }
    return false;
  };
  // Days, months and years in two halves of one shape: each is one number of what both name.
  global.dateRange = function () {
    var z = zoned(arguments), a = z.args;
    if (a.length === 1) a = [a[0], a[0]];
    if (a.length === 0 || a.length % 2 !== 0 || a.length > 6) return false;
    function half(list) {
      var value = { year: 0, month: 0, date: 0, shape: '' };
      for (var i = 0; i < list.length; ++i) {
        var month = MONTHS.indexOf(String(list[i]).toUpperCase());
        if (month >= 0) { value.month = month; value.shape += 'm'; }
        else if (Number(list[i]) > 31) { value.year = Number(list[i]); value.shape += 'y'; }
        else if (Number(list[i]) >= 1) { value.date = Number(list[i]); value.shape += 'd'; }
        else return null;
      }
      return value;
    }
    var first = half(a.slice(0, a.length / 2)), last = half(a.slice(a.length / 2));
    if (!first || !last || first.shape !== last.shape) return false;
    var shape = first.shape;
    function number(v) {
      return (shape.indexOf('y') >= 0 ? v.year * 10000 : 0) + (shape.indexOf('m') >= 0 ? v.month * 100 : 0) +
             (shape.indexOf('d') >= 0 ? v.date : 0);
    }
    var from = number(first), at = number(z), until = number(last);
    return shape.indexOf('y') >= 0 ? from <= at && at <= until : within(from, at, until);
  };
  global.alert = function () {};
})(this, __resolve, __own, __now);
