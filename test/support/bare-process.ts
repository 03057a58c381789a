/** Does nothing but serve nobody until it is told to stop: what is open in it is the runtime's own. */
process.once('SIGTERM', () => {
  process.disconnect();
});
process.send?.({ serving: 'nobody' });
