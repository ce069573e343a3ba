/** When jobs run: minute, hour, day, month, weekday (UTC), task. One that is still waiting is not queued again. */
export const crontab = `
* * * * * seal ?jobKey=seal&max=1
* * * * * close_runs ?jobKey=close_runs&max=1
* * * * * merge_runs ?jobKey=merge_runs&max=1
* * * * * merge_large_runs ?jobKey=merge_large_runs&max=1
* * * * * summarise ?jobKey=summarise&max=1
* * * * * detect ?jobKey=detect&max=1
3 * * * * make_partitions ?jobKey=make_partitions&max=3
*/10 * * * * retain ?jobKey=retain&max=1
`;
